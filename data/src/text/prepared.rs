//! Writes and reads the Parquet files of prepared text.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StringBuilder, UInt16Builder, UInt64Array, UInt64Builder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt16Type, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::TextError;
use super::table_writer::{ROW_GROUP_BYTES, ROW_GROUP_ROWS, TableWriter};
use crate::error::{Error, Result};
use crate::files::sha256_file;
use crate::parquet_file::{batches, open, rows};

/// The rows passed to the writer at a time.
const BATCH_ROWS: usize = 1024;

fn text_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("group", DataType::UInt64, false),
        Field::new("label", DataType::Utf8, true),
    ]))
}

/// The columns of texts of several sources.
fn text_schema_with_sources() -> SchemaRef {
    let fields = text_schema().fields().iter().cloned().collect::<Vec<_>>();
    let source = Arc::new(Field::new("source", DataType::UInt16, false));
    Arc::new(Schema::new(fields.into_iter().chain([source]).collect::<Vec<_>>()))
}

fn document_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("text", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, false),
        Field::new("group", DataType::UInt64, false),
        Field::new("held_out", DataType::Boolean, false),
    ]))
}

/// Writes whole documents with their labels.
pub(super) struct DocumentWriter(TableWriter);

impl DocumentWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        TableWriter::create(path, document_schema()).map(Self)
    }

    /// Writes a document at once, because it may be large.
    pub(super) fn write(&mut self, text: &str, label: &str, group: u64, held_out: bool) -> Result<()> {
        self.0.write(vec![
            Arc::new(StringArray::from(vec![text])),
            Arc::new(StringArray::from(vec![label])),
            Arc::new(UInt64Array::from(vec![group])),
            Arc::new(BooleanArray::from(vec![held_out])),
        ])
    }

    pub(super) fn finish(self) -> Result<()> {
        self.0.finish()
    }
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextOrigin<'a> {
    /// The hash of its document, or of the text itself.
    pub(super) group: u64,
    pub(super) label: Option<&'a str>,
    /// The place of its source, and of its unit there: see [`super::TextPlan::origins`].
    pub(super) source: u16,
}

/// Writes texts, with ids from 0.
pub(super) struct TextWriter {
    table: TableWriter,
    pub(super) rows: u64,
    ids: UInt64Builder,
    texts: StringBuilder,
    groups: UInt64Builder,
    labels: StringBuilder,
    /// Where the plan has several origins.
    sources: Option<UInt16Builder>,
}

impl TextWriter {
    /// A writer of the texts of a plan with so many origins.
    pub(super) fn create(path: &Path, origins: usize) -> Result<Self> {
        let sources = (origins > 1).then(UInt16Builder::new);
        let schema = if sources.is_some() { text_schema_with_sources() } else { text_schema() };
        let (ids, groups) = (UInt64Builder::new(), UInt64Builder::new());
        let (texts, labels) = (StringBuilder::new(), StringBuilder::new());
        Ok(Self { table: TableWriter::create(path, schema)?, rows: 0, ids, texts, groups, labels, sources })
    }

    pub(super) fn write(&mut self, text: &str, origin: TextOrigin) -> Result<()> {
        self.ids.append_value(self.rows);
        self.texts.append_value(text);
        self.groups.append_value(origin.group);
        self.labels.append_option(origin.label);
        if let Some(sources) = &mut self.sources {
            sources.append_value(origin.source);
        }
        self.rows += 1;
        // Only long documents reach these bytes: texts of the usual length are flushed by their number.
        let is_full = self.rows.is_multiple_of(BATCH_ROWS as u64) || self.texts.values_slice().len() >= ROW_GROUP_BYTES;
        if is_full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.ids.finish()),
            Arc::new(self.texts.finish()),
            Arc::new(self.groups.finish()),
            Arc::new(self.labels.finish()),
        ];
        if let Some(sources) = &mut self.sources {
            columns.push(Arc::new(sources.finish()));
        }
        self.table.write(columns)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }
}

/// Rows of a prepared file, one `Vec` a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextBatch {
    /// The ids: the numbers of the rows in the file, from 0.
    pub ids: Vec<u64>,
    /// The texts.
    pub texts: Vec<String>,
    /// The hash of each text's document, or of the text itself.
    pub groups: Vec<u64>,
    /// The labels; `None` for a text without one.
    pub labels: Vec<Option<String>>,
    /// The place of each text's origin among [`super::TextPlan::origins`], from 0, where the plan has several.
    pub sources: Option<Vec<u16>>,
}

/// A file of texts that [`super::prepare`] wrote.
#[derive(Debug, Clone)]
pub struct PreparedText {
    path: PathBuf,
    schema: SchemaRef,
    /// The rows of each row group.
    groups: Vec<usize>,
}

impl PreparedText {
    /// Opens the file and checks its columns. A truncated file, or one that [`super::prepare`] did not write, is an
    /// error.
    pub fn open(path: &Path) -> Result<Self> {
        let mut builder = reader(path, &text_schema())?;
        let mut schema = text_schema();
        if builder.schema().fields().len() > schema.fields().len() {
            schema = text_schema_with_sources();
            builder = reader(path, &schema)?;
        }
        let groups = builder.metadata().row_groups().iter().map(|group| group.num_rows() as usize).collect();
        Ok(Self { path: path.to_owned(), schema, groups })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of texts.
    pub fn rows(&self) -> usize {
        self.groups.iter().sum()
    }

    /// The sha256 of the file's bytes.
    pub fn sha256(&self) -> Result<String> {
        sha256_file(&self.path)
    }

    /// The place of each text's origin among [`super::TextPlan::origins`], from 0; `None` where the plan has one.
    pub fn sources(&self) -> Result<Option<Vec<u16>>> {
        let Ok(column) = self.schema.index_of("source") else { return Ok(None) };
        let builder = reader(&self.path, &self.schema)?;
        let only = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let values = |batch: &RecordBatch| Ok(batch.column(0).as_primitive::<UInt16Type>().values().to_vec());
        let all = batches(builder.with_projection(only), &self.path, values)?.collect::<Result<Vec<_>>>()?;
        Ok(Some(all.concat()))
    }

    /// All rows in order, at most `rows` at a time.
    pub fn batches(&self, rows: usize) -> Result<impl Iterator<Item = Result<TextBatch>> + Send + use<>> {
        let builder = reader(&self.path, &self.schema)?.with_batch_size(rows.max(1));
        batches(builder, &self.path, |batch| Ok(text_batch(batch)))
    }

    /// At most `count` rows from row `first` on. Only the row groups with these rows are read.
    pub fn read(&self, first: usize, count: usize) -> Result<TextBatch> {
        let (mut start, mut skipped, mut wanted) = (0, None, Vec::new());
        for (index, rows) in self.groups.iter().enumerate() {
            if start < first.saturating_add(count) && start + rows > first {
                skipped.get_or_insert(start);
                wanted.push(index);
            }
            start += rows;
        }
        let builder = reader(&self.path, &self.schema)?
            .with_row_groups(wanted)
            .with_offset(first - skipped.unwrap_or(first))
            .with_limit(count)
            .with_batch_size(count.clamp(1, ROW_GROUP_ROWS));
        let read = batches(builder, &self.path, |batch| Ok(batch.clone()))?.collect::<Result<Vec<_>>>()?;
        Ok(text_batch(&concat_batches(&self.schema, &read).map_err(Error::read_parquet(&self.path))?))
    }
}

/// A whole document with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledDocument {
    /// The whole text.
    pub text: String,
    /// The name of the folder that it lay in.
    pub label: String,
    /// The hash of the text, which is the `group` of its sentences.
    pub group: u64,
    /// Whether its sentences are held out.
    pub held_out: bool,
}

/// The documents of a [`DOCUMENTS_FILE`](super::DOCUMENTS_FILE), one by one.
pub fn read_documents(path: &Path) -> Result<impl Iterator<Item = Result<LabelledDocument>> + Send + use<>> {
    let builder = reader(path, &document_schema())?.with_batch_size(64);
    rows(builder, path, |batch| Ok(documents_of(batch)))
}

fn documents_of(batch: &RecordBatch) -> Vec<LabelledDocument> {
    let (texts, labels) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    let (groups, outs) = (batch.column(2).as_primitive::<UInt64Type>(), batch.column(3).as_boolean());
    let document = |row| LabelledDocument {
        text: texts.value(row).to_owned(),
        label: labels.value(row).to_owned(),
        group: groups.value(row),
        held_out: outs.value(row),
    };
    (0..batch.num_rows()).map(document).collect()
}

fn text_batch(batch: &RecordBatch) -> TextBatch {
    let (texts, labels) = (batch.column(1).as_string::<i32>(), batch.column(3).as_string::<i32>());
    TextBatch {
        ids: batch.column(0).as_primitive::<UInt64Type>().values().to_vec(),
        texts: texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect(),
        groups: batch.column(2).as_primitive::<UInt64Type>().values().to_vec(),
        labels: labels.iter().map(|label| label.map(str::to_owned)).collect(),
        sources: batch.columns().get(4).map(|sources| sources.as_primitive::<UInt16Type>().values().to_vec()),
    }
}

/// Opens a file and checks that its columns are those of `schema`, by name, order and type.
pub(super) fn reader(path: &Path, schema: &Schema) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let builder = open(path, ArrowReaderOptions::new())?;
    let fields = builder.schema().fields();
    for (index, field) in schema.fields().iter().enumerate() {
        let same = fields.get(index).filter(|other| other.name() == field.name());
        if same.is_none_or(|other| other.data_type() != field.data_type()) {
            let found = same.map_or("nothing".to_owned(), |other| other.data_type().to_string());
            let (path, column) = (path.to_owned(), field.name().clone());
            return Err(TextError::ColumnType { path, column, found, wanted: "what `prepare` writes" }.into());
        }
    }
    Ok(builder)
}
