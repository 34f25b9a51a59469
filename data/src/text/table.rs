//! [`TableReader`]: rows of named columns, from a `.tsv`, `.csv`, `.jsonl` or `.parquet` file.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::TextError;
use super::csv_records::CsvRecords;
use super::decode::Encodings;
use super::lines::Lines;
use super::source::{TextFormat, format_of};
use crate::caught::{caught, next_batch};
use crate::codec::check_codecs;
use crate::error::{Error, Result};

/// How many rows of a Parquet file are decoded at a time.
const PARQUET_ROWS: usize = 1024;

/// A file with named columns, of which only the names are read yet.
pub(crate) struct TableReader {
    path: PathBuf,
    names: Vec<String>,
    format: TableFormat,
}

enum TableFormat {
    Tsv(Lines),
    Csv(Box<CsvRecords>),
    Json { lines: Lines, first: Option<Map<String, Value>> },
    Parquet(Box<ParquetRecordBatchReaderBuilder<File>>),
}

impl TableReader {
    /// Reads the names of the file's columns from its first line, record or object, or from its schema.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is a `.txt` or has an unknown extension.
    pub(crate) fn open(path: &Path, encodings: &Encodings) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
        match format_of(path).filter(|_| !metadata.is_dir()) {
            Some(format) => Self::open_as(format, path, encodings),
            None => Err(TextError::UnknownFormat { path: path.to_owned() }.into()),
        }
    }

    /// As [`TableReader::open`]; a file without the extension of another format is read as TSV.
    pub(crate) fn open_or_tsv(path: &Path, encodings: &Encodings) -> Result<Self> {
        let format = format_of(path).filter(|&format| format != TextFormat::Lines).unwrap_or(TextFormat::Tsv);
        Self::open_as(format, path, encodings)
    }

    /// As [`TableReader::open`], in the given format.
    pub(super) fn open_as(format: TextFormat, path: &Path, encodings: &Encodings) -> Result<Self> {
        let empty = || TextError::Empty { path: path.to_owned() };
        let (format, names) = match format {
            TextFormat::Lines => return Err(TextError::NoTable { path: path.to_owned() }.into()),
            TextFormat::Tsv => {
                let mut lines = Lines::open(path, encodings)?;
                let header = lines.next_line()?.ok_or_else(empty)?;
                let names = header.split('\t').map(|name| name.trim().to_owned()).collect();
                (TableFormat::Tsv(lines), names)
            }
            TextFormat::Csv => {
                let (records, names) = CsvRecords::open(path, encodings)?.ok_or_else(empty)?;
                (TableFormat::Csv(Box::new(records)), names)
            }
            TextFormat::Json => {
                let mut lines = Lines::open(path, encodings)?;
                let first = next_object(&mut lines)?.ok_or_else(empty)?;
                let names = first.keys().cloned().collect();
                (TableFormat::Json { lines, first: Some(first) }, names)
            }
            TextFormat::Parquet => {
                let builder = open_parquet(path)?;
                let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
                (TableFormat::Parquet(Box::new(builder)), names)
            }
        };
        Ok(Self { path: path.to_owned(), names, format })
    }

    /// The names of the columns, in order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of the columns that hold strings; all names where the format has no types.
    pub(super) fn names_of_strings(&self) -> Vec<String> {
        match &self.format {
            TableFormat::Parquet(builder) => {
                let fields = builder.schema().fields().iter();
                let strings = fields.filter(|field| *field.data_type() == DataType::Utf8);
                strings.map(|field| field.name().clone()).collect()
            }
            _ => self.names.clone(),
        }
    }

    /// The name of a row in errors.
    pub(crate) fn unit(&self) -> &'static str {
        if matches!(self.format, TableFormat::Parquet(_)) { "row" } else { "line" }
    }

    /// The rows, with the fields of `columns` in that order. Where the format has types, the first `sentences` columns
    /// must be strings, and numbers in the others are written out. A missing value is an empty string.
    pub(crate) fn rows(self, columns: &[String], sentences: usize) -> Result<TableRows> {
        let Self { path, names, format } = self;
        let mut indices = Vec::with_capacity(columns.len());
        for column in columns {
            indices.push(names.iter().position(|name| name == column).ok_or_else(|| {
                let (path, column, columns) = (path.clone(), column.clone(), names.clone());
                TextError::NoColumn { path, column, columns }
            })?);
        }
        let source = match format {
            TableFormat::Tsv(lines) => RowSource::Tsv { lines, indices, width: names.len() },
            TableFormat::Csv(records) => RowSource::Csv { records, indices },
            TableFormat::Json { lines, first } => {
                RowSource::Json { lines, first, columns: columns.to_vec(), sentences }
            }
            TableFormat::Parquet(builder) => parquet_rows(*builder, &path, &indices, sentences)?,
        };
        Ok(TableRows { path, source })
    }
}

/// An iterator over the rows of a table, made by [`TableReader::rows`]: the number of the line or row, from 1, and the
/// fields.
pub(crate) struct TableRows {
    path: PathBuf,
    source: RowSource,
}

enum RowSource {
    Tsv { lines: Lines, indices: Vec<usize>, width: usize },
    Csv { records: Box<CsvRecords>, indices: Vec<usize> },
    Json { lines: Lines, first: Option<Map<String, Value>>, columns: Vec<String>, sentences: usize },
    Parquet { reader: ParquetRecordBatchReader, places: Vec<usize>, batch: Vec<StringArray>, next: usize, row: u64 },
}

type NumberedRow = (u64, Vec<String>);

impl Iterator for TableRows {
    type Item = Result<NumberedRow>;

    fn next(&mut self) -> Option<Result<NumberedRow>> {
        let path = &self.path;
        match &mut self.source {
            RowSource::Tsv { lines, indices, width } => next_tsv(path, lines, indices, *width),
            RowSource::Csv { records, indices } => next_csv(records, indices),
            RowSource::Json { lines, first, columns, sentences } => {
                let object = first.take().map_or_else(|| next_object(lines), |first| Ok(Some(first)));
                object.and_then(|object| {
                    object.map(|object| fields_of(path, lines, object, columns, *sentences)).transpose()
                })
            }
            RowSource::Parquet { reader, places, batch, next, row } => {
                if batch.first().is_none_or(|column| *next >= column.len()) {
                    match next_batch(reader)? {
                        Ok(read) => match strings(path, &read, places) {
                            Ok(columns) => (*batch, *next) = (columns, 0),
                            Err(error) => return Some(Err(error)),
                        },
                        Err(error) => return Some(Err(Error::read_parquet(path)(error))),
                    }
                }
                let at = *next;
                (*next, *row) = (at + 1, *row + 1);
                let field = |column: &StringArray| {
                    if column.is_null(at) { String::new() } else { column.value(at).to_owned() }
                };
                Ok(Some((*row, batch.iter().map(field).collect())))
            }
        }
        .transpose()
    }
}

fn ragged(path: &Path, line: u64, found: usize, wanted: usize) -> Error {
    TextError::Ragged { path: path.to_owned(), line, found: found as u64, wanted: wanted as u64 }.into()
}

fn next_tsv(path: &Path, lines: &mut Lines, indices: &[usize], width: usize) -> Result<Option<NumberedRow>> {
    let Some(text) = lines.next_line()? else { return Ok(None) };
    if text.is_empty() && width > 1 {
        // An empty line is allowed at the end of the file.
        drop(text);
        let line = lines.line();
        return if lines.next_line()?.is_none() { Ok(None) } else { Err(ragged(path, line, 0, width)) };
    }
    let fields: Vec<_> = text.split('\t').collect();
    let picked = indices.iter().filter_map(|&index| fields.get(index)).map(|&field| field.to_owned()).collect();
    let found = fields.len();
    drop(text);
    if found == width { Ok(Some((lines.line(), picked))) } else { Err(ragged(path, lines.line(), found, width)) }
}

fn next_csv(records: &mut CsvRecords, indices: &[usize]) -> Result<Option<NumberedRow>> {
    if !records.read()? {
        return Ok(None);
    }
    let fields = indices.iter().map(|&index| records.field(index));
    Ok(Some((records.line(), fields.collect::<Result<_>>()?)))
}

/// The object in the next line that is not blank.
fn next_object(lines: &mut Lines) -> Result<Option<Map<String, Value>>> {
    match lines.next_json()? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => {
            let (path, number) = (lines.path().to_owned(), lines.line());
            let what = "no object, which the columns' names belong to".to_owned();
            Err(TextError::Example { path, unit: "line", number, what }.into())
        }
    }
}

fn fields_of(
    path: &Path,
    lines: &Lines,
    object: Map<String, Value>,
    columns: &[String],
    sentences: usize,
) -> Result<NumberedRow> {
    let bad = |what: String| TextError::Example { path: path.to_owned(), unit: "line", number: lines.line(), what };
    if let Some(wanted) = columns.iter().find(|&column| !object.contains_key(column)) {
        return Err(bad(no_field(wanted, &object)).into());
    }
    let mut fields = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        fields.push(match &object[column] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Number(number) if index >= sentences => number.to_string(),
            _ => return Err(bad(format!("the field `{column}` is of the wrong type")).into()),
        });
    }
    Ok((lines.line(), fields))
}

/// The message for an object that lacks the field `wanted`.
pub(super) fn no_field(wanted: &str, object: &Map<String, Value>) -> String {
    let others: Vec<String> = object.keys().map(|name| format!("`{name}`")).collect();
    match others.is_empty() {
        true => format!("no field `{wanted}`"),
        false => format!("no field `{wanted}`, only {}", others.join(", ")),
    }
}

/// Opens a `.parquet` file.
fn open_parquet(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // Without the Arrow schema of the program that wrote the file, all strings are plain ones.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = caught(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options));
    Ok(builder.map_err(Error::read_parquet::<ParquetError>(path))?.with_batch_size(PARQUET_ROWS))
}

fn parquet_rows(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    indices: &[usize],
    sentences: usize,
) -> Result<RowSource> {
    let fields = builder.schema().fields();
    for (place, field) in indices.iter().filter_map(|&index| fields.get(index)).enumerate() {
        let data_type = field.data_type();
        let (fits, wanted) = match place < sentences {
            true => (*data_type == DataType::Utf8, "strings"),
            false => (*data_type == DataType::Utf8 || data_type.is_numeric(), "strings or numbers"),
        };
        if !fits {
            let (path, column, found) = (path.to_owned(), field.name().clone(), data_type.to_string());
            return Err(TextError::ColumnType { path, column, found, wanted }.into());
        }
    }
    // The reader gives each column once, in the order of the file.
    let mut read = indices.to_vec();
    read.sort_unstable();
    read.dedup();
    let places = indices.iter().filter_map(|index| read.iter().position(|other| other == index)).collect();
    check_codecs(builder.metadata(), &read, path)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), read);
    let reader = caught(|| builder.with_projection(mask).build()).map_err(Error::read_parquet::<ParquetError>(path))?;
    Ok(RowSource::Parquet { reader, places, batch: Vec::new(), next: 0, row: 0 })
}

/// The columns of a batch at `places`, as strings.
fn strings(path: &Path, batch: &RecordBatch, places: &[usize]) -> Result<Vec<StringArray>> {
    let column = |&place: &usize| {
        let strings = cast(batch.column(place), &DataType::Utf8).map_err(Error::read_parquet(path))?;
        Ok(strings.as_string().clone())
    };
    places.iter().map(column).collect()
}
