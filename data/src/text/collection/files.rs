//! The files that a collection leaves beside its texts: its documents, and its own queries.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::document::Document;
use crate::error::Result;
use crate::parquet_file::rows;
use crate::text::prepared::reader;
use crate::text::table_writer::TableWriter;

/// The name of the file with every distinct document: the columns `id`, `title` and `text`, which
/// [`super::read_collection`] reads.
pub const COLLECTION_FILE: &str = "collection.parquet";
/// The name of the file with the collection's own queries: the columns `id`, of the query's document, and `text`.
pub const OWN_QUERIES_FILE: &str = "queries.parquet";

/// About how many bytes are passed to the writer at a time.
const BATCH_BYTES: usize = 1 << 20;

fn schema_of(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect::<Vec<_>>()))
}

/// Writes a [`COLLECTION_FILE`].
pub(in crate::text) struct CollectionWriter {
    table: TableWriter,
    ids: StringBuilder,
    titles: StringBuilder,
    texts: StringBuilder,
}

impl CollectionWriter {
    pub(in crate::text) fn create(path: &Path) -> Result<Self> {
        let table = TableWriter::create(path, schema_of(&["id", "title", "text"]))?;
        Ok(Self { table, ids: StringBuilder::new(), titles: StringBuilder::new(), texts: StringBuilder::new() })
    }

    pub(in crate::text) fn write(&mut self, document: &Document) -> Result<()> {
        self.ids.append_value(&document.id);
        self.titles.append_value(&document.title);
        self.texts.append_value(&document.text);
        let columns = [&self.ids, &self.titles, &self.texts];
        let bytes: usize = columns.iter().map(|column| column.values_slice().len()).sum();
        if bytes < BATCH_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let columns = [&mut self.ids, &mut self.titles, &mut self.texts];
        self.table.write(columns.map(|column| Arc::new(column.finish()) as _).into())
    }

    pub(in crate::text) fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }
}

/// A query that a collection's own document gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnQuery {
    /// The id of the document.
    pub id: String,
    /// The query: the document's title, or one of its sentences.
    pub text: String,
}

/// Writes an [`OWN_QUERIES_FILE`].
pub(in crate::text) fn write_own_queries(path: &Path, queries: &[OwnQuery]) -> Result<()> {
    let mut table = TableWriter::create(path, schema_of(&["id", "text"]))?;
    let ids: StringArray = queries.iter().map(|query| Some(&query.id)).collect();
    let texts: StringArray = queries.iter().map(|query| Some(&query.text)).collect();
    table.write(vec![Arc::new(ids), Arc::new(texts)])?;
    table.finish()
}

/// The queries of an [`OWN_QUERIES_FILE`], in the order of their documents.
pub fn read_own_queries(path: &Path) -> Result<Vec<OwnQuery>> {
    let queries_of = |batch: &RecordBatch| {
        let [ids, texts] = [0, 1].map(|column| batch.column(column).as_string::<i32>().clone());
        let query = |row| OwnQuery { id: ids.value(row).to_owned(), text: texts.value(row).to_owned() };
        Ok((0..batch.num_rows()).map(query).collect())
    };
    rows(reader(path, &schema_of(&["id", "text"]))?, path, queries_of)?.collect()
}
