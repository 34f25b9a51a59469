//! [`read_corpus`]: the documents of a file or folder, one after another.

use std::iter::once;
use std::path::{Path, PathBuf};

use super::columns::RowNames;
use super::find_table::find_table;
use super::rows::{Ids, Row, rows_of};
use super::{Document, DocumentColumns};
use crate::error::{Error, Result};
use crate::text::{Encodings, Place, ReadOptions, TextError, TextFormat, format_of, read_document, source_files};

/// The documents of a file or folder, from [`read_corpus`].
pub type CorpusReader = Box<dyn Iterator<Item = Result<Document>> + Send>;

/// All documents at `path`, in order, as [`super`] says; the next one is read when it is asked for. After an error the
/// iterator ends.
///
/// # Errors
/// A file that cannot be read, has no column with text or no row; a row whose id is empty, or stands before. The
/// error names the file, and the line or row.
pub fn read_corpus(path: &Path) -> Result<CorpusReader> {
    read_corpus_columns(path, &DocumentColumns::default())
}

/// As [`read_corpus`], with the columns that `columns` names.
///
/// # Errors
/// As [`read_corpus`].
pub fn read_corpus_columns(path: &Path, columns: &DocumentColumns) -> Result<CorpusReader> {
    let names = RowNames::of_documents(columns);
    if !std::fs::metadata(path).map_err(Error::io("read", path))?.is_dir() {
        let format = format_of(path).ok_or_else(|| TextError::UnknownFormat { path: path.to_owned() })?;
        return one_file(path.to_owned(), format, names);
    }
    match find_table(path, "corpus")? {
        Some((file, format)) => one_file(file, format, names),
        None => text_folder(path, columns, names),
    }
}

fn one_file(path: PathBuf, format: TextFormat, names: RowNames) -> Result<CorpusReader> {
    let documents = rows_of(&path, format, names)?.map(|row| {
        let row = row?;
        let number = row.place.number;
        Ok((row.place, document(row, || number.to_string())))
    });
    Ok(checked(
        documents.map({
            let path = path.clone();
            move |found: Result<_>| found.map(|(place, document)| (path.clone(), place, document))
        }),
        path,
    ))
}

/// The documents of all files in a folder that is no collection.
fn text_folder(folder: &Path, columns: &DocumentColumns, names: RowNames) -> Result<CorpusReader> {
    let files = source_files(folder, columns.text.as_deref(), &ReadOptions::default())?.files;
    let root = folder.to_owned();
    let documents = files.into_iter().flat_map(move |file| {
        let id = relative_name(&file.path, &root);
        let rows: Box<dyn Iterator<Item = Result<Located>> + Send> = match file.format {
            TextFormat::Lines => Box::new(once(whole_file(file.path, id))),
            format => match rows_of(&file.path, format, names.clone()) {
                Ok(rows) => Box::new(rows.map(move |row| {
                    let row = row?;
                    let number = row.place.number;
                    Ok((file.path.clone(), row.place, document(row, || format!("{id}:{number}"))))
                })),
                Err(error) => Box::new(once(Err(error))),
            },
        };
        rows
    });
    Ok(checked(documents, folder.to_owned()))
}

/// A document, and where it stands.
type Located = (PathBuf, Place, Document);

fn document(row: Row, number: impl FnOnce() -> String) -> Document {
    Document { id: row.id.unwrap_or_else(number), title: row.title, text: row.text }
}

fn whole_file(path: PathBuf, id: String) -> Result<Located> {
    let text = match read_document(&path, &Encodings::default()) {
        Err(Error::Text(TextError::Empty { .. })) => String::new(),
        text => text?,
    };
    Ok((path, Place::line(1), Document { id, title: String::new(), text }))
}

/// The path of a file from the folder on, with a slash between names on every system.
fn relative_name(path: &Path, folder: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    let names: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
    names.join("/")
}

/// The documents up to the first error: one of reading, an id that was met before, or no document at all.
fn checked(documents: impl Iterator<Item = Result<Located>> + Send + 'static, path: PathBuf) -> CorpusReader {
    let (mut ids, mut documents, mut any, mut ended) = (Ids::default(), documents, false, false);
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let next = match documents.next() {
            None if any => None,
            None => Some(Err(TextError::Empty { path: path.clone() }.into())),
            Some(found) => Some(found.and_then(|(path, place, document)| {
                ids.add(&document.id, &path, place)?;
                Ok(document)
            })),
        };
        any = true;
        ended = !matches!(next, Some(Ok(_)));
        next
    }))
}

#[cfg(test)]
#[path = "corpus_tests.rs"]
mod tests;
