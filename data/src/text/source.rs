//! [`TextSource`]: a file or folder with text, and how it is cut into texts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::collection::CollectionUnits;
use super::compression::Compression;
use super::format::{TextFormat, format_of};
use super::json_values::{holds_functions, holds_text};
use super::{LeftOutFiles, ReadOptions, TextError};
use crate::cache::is_tokens_name;
use crate::error::{Error, Result};
use crate::files::visible_files;

/// A file or folder with text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSource {
    /// The file, or a folder of files, which are read in the order of their names.
    pub path: PathBuf,
    /// The column or JSON field with the text; [`super`] says which one serves if none is named.
    pub column: Option<String>,
    /// The encoding, if it is not UTF-8; see [`super::Encodings`].
    pub encoding: Option<String>,
    /// The unit that makes one text.
    pub unit: TextUnit,
    /// Whether each text is a document that is cut into sentences.
    pub split: bool,
    /// The units that the documents of a collection give, in place of `unit` and `split`.
    pub collection: Option<CollectionUnits>,
    /// Whether the name of a file's folder is the label of its texts.
    pub label: bool,
    /// The size of a uniform sample of the source's texts. It is drawn after all filters and before the plan's own
    /// limit.
    pub limit: Option<usize>,
}

/// The unit that makes one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextUnit {
    /// A line, record or row.
    #[default]
    Line,
    /// A whole file; only `.txt`, `.md`, `.markdown` and `.text`.
    File,
}

impl TextSource {
    /// The whole of `path`, each row a text.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let (unit, split, collection, label, limit) = (TextUnit::Line, false, None, false, None);
        Self { path, column: None, encoding: None, unit, split, collection, label, limit }
    }

    /// Whether files or rows are cut without units.
    pub(super) fn is_cut(&self) -> bool {
        self.unit == TextUnit::File || self.split
    }

    /// Whether the texts belong to documents: to files, to rows that are split, or to those of a collection.
    pub fn has_documents(&self) -> bool {
        self.is_cut() || self.collection.is_some()
    }
}

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFile {
    pub path: PathBuf,
    pub format: TextFormat,
}

impl TextFile {
    /// The name of the folder that the file lies in.
    pub(super) fn folder_name(&self) -> Option<String> {
        let folder = std::path::absolute(&self.path).ok()?;
        Some(folder.parent()?.file_name()?.to_string_lossy().into_owned())
    }
}

/// Whether a file has the extension of a format of tables.
fn is_table(path: &Path) -> bool {
    format_of(path).is_some_and(|format| !matches!(format, TextFormat::Lines | TextFormat::Python))
}

/// The files with columns right in `folder` that are called `name` but for their formats, by name.
pub(crate) fn tables_named(folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if is_table(&path) && bare_name(&path) == name && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a file without the extensions that tell its format: `STSB.test` for `en/STSB.test.tsv.gz`.
pub fn bare_name(path: &Path) -> String {
    let mut bare = path.to_owned();
    if format_of(path).is_some() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if Compression::of_name(&name).1.is_some() {
            bare.set_extension("");
        }
        bare.set_extension("");
    }
    bare.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The files of a source.
#[derive(Debug, Default)]
pub(crate) struct SourceFiles {
    /// The files with text.
    pub(crate) files: Vec<TextFile>,
    /// The others.
    pub(super) left_out: LeftOutFiles,
}

impl SourceFiles {
    /// Where functions are read, leaves out the other files: a package's tables and notes have no functions.
    fn keep_functions_alone(&mut self) {
        if self.files.iter().any(|file| file.format == TextFormat::Python) {
            let others = self.files.extract_if(.., |file| file.format != TextFormat::Python);
            others.for_each(|file| self.left_out.count(&file.path));
        }
    }
}

/// The text files at `path`: the file itself, or all files in and below the folder, sorted by name. Symbolic links are
/// followed. It is an error to name a `column` where no file has columns.
pub(crate) fn files(path: &Path, column: Option<&str>, options: &ReadOptions) -> Result<SourceFiles> {
    let mut found = SourceFiles::default();
    if std::fs::metadata(path).map_err(Error::io("read", path))?.is_dir() {
        for file in visible_files(path) {
            let path = file?;
            match format_of(&path) {
                Some(TextFormat::Json) if !holds_text(&path, column, options) => found.left_out.count(&path),
                Some(TextFormat::Python) if !holds_functions(&path, column, options) => found.left_out.count(&path),
                Some(_) if is_token_vectors(&path) => {}
                Some(format) => found.files.push(TextFile { path, format }),
                None => found.left_out.count(&path),
            }
        }
        found.keep_functions_alone();
    } else {
        let format = format_of(path).ok_or_else(|| TextError::UnknownFormat { path: path.to_owned() })?;
        found.files.push(TextFile { path: path.to_owned(), format });
    }
    if found.files.is_empty() {
        return Err(TextError::NoFiles { path: path.to_owned(), others: found.left_out.endings() }.into());
    }
    if column.is_some() && found.files.iter().all(|file| file.format == TextFormat::Lines) {
        return Err(TextError::NoTable { path: path.to_owned() }.into());
    }
    Ok(found)
}

/// The files of the folder at `path` that [`super::read_texts`] leaves out because they hold no text; none where `path`
/// is a file.
pub fn left_out_files(path: &Path, column: Option<&str>) -> Result<LeftOutFiles> {
    Ok(files(path, column, &ReadOptions::default())?.left_out)
}

/// Whether the file holds the token vectors of a cache, which are not texts.
fn is_token_vectors(path: &Path) -> bool {
    let named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_tokens_name);
    named && path.with_file_name("cache.json").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_lacks_what_tells_the_format_and_no_more() {
        let bare = |name: &str| bare_name(Path::new(name));
        assert_eq!(bare("en/STSB.test.tsv.GZ"), "STSB.test");
        assert_eq!(bare("STSB.test.parquet"), "STSB.test");
        assert_eq!(bare("a/tweets.txt"), "tweets");
        assert_eq!(bare("a/README.md"), "README");
        assert_eq!(bare("STSB.test.csv.zst"), "STSB.test");
        assert_eq!(bare("a/x.pdf"), "x.pdf");
        assert_eq!(bare("STSB.test"), "STSB.test");
        assert_eq!(bare("."), ".");
    }

    #[test]
    fn a_folder_is_walked_by_name_without_hidden_and_foreign_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.txt", "b/10.txt", "a.csv", "c.pdf", ".git/x.txt", "b/.hidden.txt"] {
            crate::files::write_bytes(&folder.path().join(name), b"x").unwrap();
        }
        let found = files(folder.path(), None, &ReadOptions::default()).unwrap().files;
        let names: Vec<_> = found.iter().map(|file| file.path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, ["a.csv", "b/10.txt", "b/2.txt"].map(Path::new));
        assert_eq!(found[1].folder_name().as_deref(), Some("b"));
    }

    #[test]
    fn python_is_read_alone_and_only_where_a_column_of_functions_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("a.py", "def f():\n    pass\n"), ("__init__.py", ""), ("notes.txt", "x"), ("t.csv", "a\nx\n")]
        {
            crate::files::write_bytes(&folder.path().join(name), text.as_bytes()).unwrap();
        }
        let names = |column| {
            let SourceFiles { files, left_out } = files(folder.path(), column, &ReadOptions::default()).unwrap();
            let names = files.iter().map(|file| bare_name(&file.path)).collect::<Vec<_>>();
            (names.join(" "), left_out.endings())
        };
        assert_eq!(names(None), ("notes t".to_owned(), ".py 2".to_owned()));
        assert_eq!(names(Some("code")), ("a".to_owned(), ".csv 1, .py 1, .txt 1".to_owned()));
    }

    #[test]
    fn what_holds_no_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = files(folder.path(), None, &ReadOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("no text file in the folder"), "{error}");
        let error = files(&folder.path().join("gone.txt"), None, &ReadOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("cannot read") && error.to_string().ends_with("gone.txt"), "{error}");
        let path = folder.path().join("x.pdf");
        crate::files::write_bytes(&path, b"x").unwrap();
        assert!(
            files(&path, None, &ReadOptions::default())
                .unwrap_err()
                .to_string()
                .ends_with("x.pdf: unknown kind of text file")
        );
    }
}
