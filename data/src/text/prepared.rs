//! The Parquet files that [`super::prepare`] writes, and their readers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanBuilder, RecordBatch, StringBuilder, UInt64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::TextError;
use crate::caught::{caught, next_batch};
use crate::error::{Error, Result};
use crate::files::{PendingFile, sha256_file};

/// The rows of a row group: those of a shard of the embedding cache, so that a shard's texts are one group.
pub const ROW_GROUP_ROWS: usize = 16_384;
/// The most bytes of a row group, which the writer keeps in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// The rows handed to the writer at a time.
const BATCH_ROWS: usize = 1024;

fn text_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("group", DataType::UInt64, false),
        Field::new("label", DataType::Utf8, true),
    ]))
}

fn document_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("text", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, false),
        Field::new("group", DataType::UInt64, false),
        Field::new("held_out", DataType::Boolean, false),
    ]))
}

/// Writes record batches to a file that appears when finished.
struct Table {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<PendingFile>,
}

impl Table {
    fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_dictionary_enabled(false)
            .set_column_dictionary_enabled("label".into(), true)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let file = PendingFile::create(path)?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| write_error(path, e))?;
        Ok(Self { path: path.to_owned(), schema, writer })
    }

    fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(ParquetError::from);
        batch.and_then(|batch| self.writer.write(&batch)).map_err(|error| write_error(&self.path, error))
    }

    fn finish(self) -> Result<()> {
        let file = self.writer.into_inner().map_err(|error| write_error(&self.path, error))?;
        file.commit().map(drop)
    }
}

/// A full disk shows as what it is, not as trouble with Parquet.
fn write_error(path: &Path, source: ParquetError) -> Error {
    match source {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => Error::io("write", path)(*error),
            Err(inner) => parquet_error("write", path, ParquetError::External(inner)),
        },
        other => parquet_error("write", path, other),
    }
}

fn parquet_error(operation: &'static str, path: &Path, source: ParquetError) -> Error {
    TextError::Parquet { operation, path: path.to_owned(), source }.into()
}

/// Writes texts, numbered from 0.
pub(super) struct TextWriter {
    table: Table,
    rows: u64,
    ids: UInt64Builder,
    texts: StringBuilder,
    groups: UInt64Builder,
    labels: StringBuilder,
}

impl TextWriter {
    pub fn create(path: &Path) -> Result<Self> {
        let (ids, groups) = (UInt64Builder::new(), UInt64Builder::new());
        let (texts, labels) = (StringBuilder::new(), StringBuilder::new());
        Ok(Self { table: Table::create(path, text_schema())?, rows: 0, ids, texts, groups, labels })
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn write(&mut self, text: &str, group: u64, label: Option<&str>) -> Result<()> {
        self.ids.append_value(self.rows);
        self.texts.append_value(text);
        self.groups.append_value(group);
        self.labels.append_option(label);
        self.rows += 1;
        if self.rows.is_multiple_of(BATCH_ROWS as u64) { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.table.write(vec![
            Arc::new(self.ids.finish()),
            Arc::new(self.texts.finish()),
            Arc::new(self.groups.finish()),
            Arc::new(self.labels.finish()),
        ])
    }

    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }
}

/// Writes whole documents, one at a time: they may be large.
pub(super) struct DocumentWriter(Table);

impl DocumentWriter {
    pub fn create(path: &Path) -> Result<Self> {
        Table::create(path, document_schema()).map(Self)
    }

    pub fn write(&mut self, text: &str, label: &str, group: u64, held_out: bool) -> Result<()> {
        let (mut texts, mut labels) = (StringBuilder::new(), StringBuilder::new());
        let (mut groups, mut outs) = (UInt64Builder::new(), BooleanBuilder::new());
        texts.append_value(text);
        labels.append_value(label);
        groups.append_value(group);
        outs.append_value(held_out);
        let (texts, labels) = (Arc::new(texts.finish()), Arc::new(labels.finish()));
        self.0.write(vec![texts, labels, Arc::new(groups.finish()), Arc::new(outs.finish())])
    }

    pub fn finish(self) -> Result<()> {
        self.0.finish()
    }
}

/// Some rows of a prepared file, a vector a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextBatch {
    /// The rows' numbers in the file, from 0.
    pub ids: Vec<u64>,
    /// The texts.
    pub texts: Vec<String>,
    /// The hash of each text's document, or of the text itself.
    pub groups: Vec<u64>,
    /// The labels, where there are any.
    pub labels: Vec<Option<String>>,
}

/// A file of texts that [`super::prepare`] wrote.
#[derive(Debug, Clone)]
pub struct PreparedText {
    path: PathBuf,
    /// The rows of each row group.
    groups: Vec<usize>,
}

impl PreparedText {
    /// Opens the file and checks its columns. A truncated or foreign file is an error.
    pub fn open(path: &Path) -> Result<Self> {
        let builder = reader(path, &text_schema())?;
        let groups = builder.metadata().row_groups().iter().map(|group| group.num_rows() as usize).collect();
        Ok(Self { path: path.to_owned(), groups })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many texts it holds.
    pub fn rows(&self) -> usize {
        self.groups.iter().sum()
    }

    /// The sha256 of the file.
    pub fn sha256(&self) -> Result<String> {
        sha256_file(&self.path)
    }

    /// All rows in order, at most `rows` at a time.
    pub fn batches(&self, rows: usize) -> Result<impl Iterator<Item = Result<TextBatch>> + Send + use<>> {
        let builder = reader(&self.path, &text_schema())?.with_batch_size(rows.max(1));
        let (path, reader) =
            (self.path.clone(), caught(|| builder.build()).map_err(|e| parquet_error("read", &self.path, e))?);
        Ok(record_batches(path, reader).map(|batch| batch.map(|batch| text_batch(&batch))))
    }

    /// At most `count` rows from number `first`; only the row groups they lie in are read.
    pub fn read(&self, first: usize, count: usize) -> Result<TextBatch> {
        let (mut start, mut skipped, mut wanted) = (0, None, Vec::new());
        for (index, rows) in self.groups.iter().enumerate() {
            if start < first.saturating_add(count) && start + rows > first {
                skipped.get_or_insert(start);
                wanted.push(index);
            }
            start += rows;
        }
        let builder = reader(&self.path, &text_schema())?
            .with_row_groups(wanted)
            .with_offset(first - skipped.unwrap_or(first))
            .with_limit(count)
            .with_batch_size(count.clamp(1, ROW_GROUP_ROWS));
        let mut read = TextBatch::default();
        let reader = caught(|| builder.build()).map_err(|error| parquet_error("read", &self.path, error))?;
        for batch in record_batches(self.path.clone(), reader) {
            let batch = text_batch(&batch?);
            read.ids.extend(batch.ids);
            read.texts.extend(batch.texts);
            read.groups.extend(batch.groups);
            read.labels.extend(batch.labels);
        }
        Ok(read)
    }
}

/// A whole document with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// All of its text.
    pub text: String,
    /// The name of the folder it lay in.
    pub label: String,
    /// The hash of its text: the `group` of its sentences.
    pub group: u64,
    /// Whether its sentences are held out.
    pub held_out: bool,
}

/// The documents of a [`super::DOCUMENTS_FILE`], one by one.
pub fn read_documents(path: &Path) -> Result<impl Iterator<Item = Result<Document>> + Send + use<>> {
    let builder = reader(path, &document_schema())?.with_batch_size(64);
    let rows = caught(|| builder.build()).map_err(|error| parquet_error("read", path, error))?;
    Ok(record_batches(path.to_owned(), rows).flat_map(|batch| {
        let documents: Vec<Result<Document>> = match batch {
            Ok(batch) => documents_of(&batch).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        documents
    }))
}

fn documents_of(batch: &RecordBatch) -> Vec<Document> {
    let (texts, labels) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    let (groups, outs) = (batch.column(2).as_primitive::<UInt64Type>(), batch.column(3).as_boolean());
    let document = |row| Document {
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
    }
}

fn record_batches(
    path: PathBuf,
    mut reader: ParquetRecordBatchReader,
) -> impl Iterator<Item = Result<RecordBatch>> + Send {
    let batches = std::iter::from_fn(move || next_batch(&mut reader));
    batches.map(move |batch| batch.map_err(|error| parquet_error("read", &path, error.into())))
}

/// Opens a file and sees that its columns are those of `schema`, by name, order and type.
fn reader(path: &Path, schema: &Schema) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let builder = caught(|| ParquetRecordBatchReaderBuilder::try_new(file));
    let builder = builder.map_err(|error| parquet_error("read", path, error))?;
    let found = builder.schema().clone();
    for (index, field) in schema.fields().iter().enumerate() {
        let same = found.fields().get(index).filter(|other| other.name() == field.name());
        if same.is_none_or(|other| other.data_type() != field.data_type()) {
            let kind = same.map_or("nothing".to_owned(), |other| other.data_type().to_string());
            let (path, column) = (path.to_owned(), field.name().clone());
            return Err(TextError::ColumnType { path, column, found: kind, wanted: "what `prepare` writes" }.into());
        }
    }
    Ok(builder)
}
