//! [`read_collection`]: the documents of a file, of BEIR's folder or of a folder of files.

use std::iter::once;
use std::path::{Path, PathBuf};

use super::columns::DocumentColumns;
use super::document::{Document, DocumentRow, DocumentRows};
use super::json_documents::json_documents;
use crate::error::Result;
use crate::text::decode::Encodings;
use crate::text::format::TextFormat;
use crate::text::json_values::JsonValues;
use crate::text::open::read_document;
use crate::text::rows::{column_of_texts, not_empty, read_rows};
use crate::text::source::{self, SourceFiles, TextFile};
use crate::text::table::TableReader;
use crate::text::{LeftOutFiles, ReadOptions, TextError};

/// The documents of a collection, from [`read_collection`].
pub type DocumentReader = Box<dyn Iterator<Item = Result<Document>> + Send>;

/// The file with the documents in a folder of BEIR's layout, and as it may be compressed.
const BEIR_CORPORA: [&str; 5] =
    ["corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "corpus.jsonl.bz2", "corpus.jsonl.xz"];

/// All documents of the collection at `path`, in order, blank and equal ones too; the next is read when it is asked
/// for. The collection is a file of a document a row, a folder that holds BEIR's `corpus.jsonl`, of which only this
/// file is read, or a folder of files: each text file a document, and each row of the others.
///
/// A file without any row is an error, and so is a row of more than [`crate::text::MAX_ROW_BYTES`]. After an error the
/// iterator ends.
pub fn read_collection(path: &Path, columns: &DocumentColumns, encoding: Option<&str>) -> Result<DocumentReader> {
    let options = ReadOptions::new(Encodings::parse(encoding)?);
    let (files, columns) = (collection_files(path, columns, &options)?.files, columns.clone());
    let rows = files.into_iter().flat_map(move |file| {
        documents_in(&file, &columns, &options).unwrap_or_else(|error| Box::new(once(Err(error))))
    });
    let mut failed = false;
    let rows = rows.take_while(move |row| !std::mem::replace(&mut failed, row.is_err()));
    Ok(Box::new(rows.zip(0..).map(|(row, number)| row.map(|row| row.numbered(number)))))
}

/// The files of a collection.
pub(in crate::text) struct CollectionFiles {
    pub(in crate::text) files: Vec<CollectionFile>,
    /// Those that hold no text.
    pub(in crate::text) left_out: LeftOutFiles,
}

/// A file of a collection.
pub(in crate::text) struct CollectionFile {
    pub(in crate::text) file: TextFile,
    /// The id of the document that the whole file is; `None` where its rows are documents.
    id: Option<String>,
}

/// The file with the documents, where `path` is a folder in BEIR's layout.
fn beir_corpus(path: &Path) -> Option<PathBuf> {
    BEIR_CORPORA.iter().map(|name| path.join(name)).find(|corpus| corpus.is_file())
}

/// Whether `path` is a folder in BEIR's layout.
pub(in crate::text) fn is_beir_folder(path: &Path) -> bool {
    beir_corpus(path).is_some()
}

/// The files of the collection at `path`.
pub(in crate::text) fn collection_files(
    path: &Path,
    columns: &DocumentColumns,
    options: &ReadOptions,
) -> Result<CollectionFiles> {
    let corpus = beir_corpus(path);
    let SourceFiles { files, left_out } =
        source::files(corpus.as_deref().unwrap_or(path), columns.text.as_deref(), options)?;
    let is_named = columns.title.is_some() || columns.id.is_some();
    if is_named && files.iter().all(|file| file.format == TextFormat::Lines) {
        return Err(TextError::NoTable { path: path.to_owned() }.into());
    }
    let collection_file = |file: TextFile| {
        // The path of a file in the folder is empty where `path` is the file.
        let inner = file.path.strip_prefix(path).unwrap_or(&file.path);
        let names = inner.components().map(|name| name.as_os_str().to_string_lossy()).collect::<Vec<_>>();
        let id = (file.format == TextFormat::Lines && !names.is_empty()).then(|| names.join("/"));
        CollectionFile { file, id }
    };
    Ok(CollectionFiles { files: files.into_iter().map(collection_file).collect(), left_out })
}

/// The documents of a file. After [`TextError::TooLong`] the iterator goes on with the next.
pub(in crate::text) fn documents_in(
    CollectionFile { file, id }: &CollectionFile,
    columns: &DocumentColumns,
    options: &ReadOptions,
) -> Result<DocumentRows> {
    let path = &file.path;
    let rows: DocumentRows = match (file.format, id) {
        (TextFormat::Lines, Some(id)) => {
            let text = read_document(path, &options.encodings)?;
            return Ok(Box::new(once(Ok(DocumentRow { id: Some(id.clone()), text, ..DocumentRow::default() }))));
        }
        (TextFormat::Lines, None) => {
            let row = |text| DocumentRow { text, ..DocumentRow::default() };
            return Ok(Box::new(read_rows(file, None, options)?.map(move |text| text.map(row))));
        }
        (format @ (TextFormat::JsonLines | TextFormat::Json | TextFormat::Python), _) => {
            json_documents(JsonValues::open(path, format, columns.text.as_deref(), options)?, columns.clone())
        }
        (TextFormat::Tsv | TextFormat::Csv | TextFormat::Parquet, _) => table_documents(file, columns, options)?,
    };
    Ok(not_empty(rows, path.clone()))
}

/// The documents of a table.
fn table_documents(file: &TextFile, columns: &DocumentColumns, options: &ReadOptions) -> Result<DocumentRows> {
    let table = TableReader::open_as(file.format, &file.path, options)?;
    let has = |name: &str| table.names.iter().any(|other| other == name);
    let (title, id) = (columns.title_in(has), columns.id_in(has));
    let text = match &columns.text {
        Some(text) => text.clone(),
        None => {
            let others: Vec<&str> = title.into_iter().chain(id).collect();
            column_of_texts(&file.path, &table, &others)?
        }
    };
    let (has_title, has_id) = (title.is_some(), id.is_some());
    let wanted: Vec<String> = once(text).chain(title.into_iter().chain(id).map(str::to_owned)).collect();
    let rows = table.rows(&wanted, 1 + usize::from(has_title))?;
    Ok(Box::new(rows.map(move |row| {
        let mut fields = row?.1.into_iter();
        let text = fields.next().unwrap_or_default();
        let title = if has_title { fields.next().unwrap_or_default() } else { String::new() };
        Ok(DocumentRow { id: if has_id { fields.next() } else { None }, title, text })
    })))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
