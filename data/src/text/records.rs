//! Rows of several named columns, from a `.tsv`, `.csv`, `.jsonl` or `.parquet` file.

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
use super::source::{Format, format_of};
use crate::caught::{caught, next_batch};
use crate::error::{Error, Result};

/// How many rows of a Parquet file are decoded at a time.
const PARQUET_ROWS: usize = 1024;

/// A file with named columns, not yet read beyond the names.
pub(crate) struct Table {
    path: PathBuf,
    names: Vec<String>,
    kind: Kind,
}

enum Kind {
    Tsv(Lines),
    Csv(Box<CsvRecords>),
    Json { lines: Lines, first: Option<Map<String, Value>> },
    Parquet(Box<ParquetRecordBatchReaderBuilder<File>>),
}

impl Table {
    /// Reads the names of the file's columns: its first line, record or object tells them, or its schema.
    ///
    /// # Errors
    /// A file that can't be read, of no known kind, a `.txt`, an empty one.
    pub fn open(path: &Path, encodings: &Encodings) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
        match format_of(path).filter(|_| !metadata.is_dir()) {
            Some(format) => Self::open_as(format, path, encodings),
            None => Err(TextError::UnknownFormat { path: path.to_owned() }.into()),
        }
    }

    /// As [`Table::open`], and TSV where the name doesn't tell of another kind.
    pub fn open_or_tsv(path: &Path, encodings: &Encodings) -> Result<Self> {
        let format = format_of(path).filter(|&format| format != Format::Lines).unwrap_or(Format::Tsv);
        Self::open_as(format, path, encodings)
    }

    /// As [`Table::open`], of a known kind.
    pub(super) fn open_as(format: Format, path: &Path, encodings: &Encodings) -> Result<Self> {
        let empty = || TextError::Empty { path: path.to_owned() };
        let (kind, names) = match format {
            Format::Lines => return Err(TextError::NoTable { path: path.to_owned() }.into()),
            Format::Tsv => {
                let mut lines = Lines::open(path, encodings)?;
                let header = lines.next_line()?.ok_or_else(empty)?;
                let names = header.split('\t').map(|name| name.trim().to_owned()).collect();
                (Kind::Tsv(lines), names)
            }
            Format::Csv => {
                let (records, names) = CsvRecords::open(path, encodings)?.ok_or_else(empty)?;
                (Kind::Csv(Box::new(records)), names)
            }
            Format::Json => {
                let mut lines = Lines::open(path, encodings)?;
                let first = next_object(&mut lines)?.ok_or_else(empty)?;
                let names = first.keys().cloned().collect();
                (Kind::Json { lines, first: Some(first) }, names)
            }
            Format::Parquet => {
                let builder = open_parquet(path)?;
                let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
                (Kind::Parquet(Box::new(builder)), names)
            }
        };
        Ok(Self { path: path.to_owned(), names, kind })
    }

    /// The columns' names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of the columns that hold strings, as far as the format knows types.
    pub fn names_of_strings(&self) -> Vec<String> {
        match &self.kind {
            Kind::Parquet(builder) => {
                let fields = builder.schema().fields().iter();
                let strings = fields.filter(|field| *field.data_type() == DataType::Utf8);
                strings.map(|field| field.name().clone()).collect()
            }
            _ => self.names.clone(),
        }
    }

    /// What a row is called in errors.
    pub fn unit(&self) -> &'static str {
        if matches!(self.kind, Kind::Parquet(_)) { "row" } else { "line" }
    }

    /// The rows, of each the fields of `columns` in that order. The first `sentences` of them have to be strings where
    /// the format knows types; of the others, numbers are written out, and a missing value is an empty string anywhere.
    pub fn rows(self, columns: &[String], sentences: usize) -> Result<Rows> {
        let Self { path, names, kind } = self;
        let mut indices = Vec::with_capacity(columns.len());
        for column in columns {
            indices.push(names.iter().position(|name| name == column).ok_or_else(|| {
                let (path, column, columns) = (path.clone(), column.clone(), names.clone());
                TextError::NoColumn { path, column, columns }
            })?);
        }
        let kind = match kind {
            Kind::Tsv(lines) => RowKind::Tsv { lines, indices, width: names.len() },
            Kind::Csv(records) => RowKind::Csv { records, indices },
            Kind::Json { lines, first } => RowKind::Json { lines, first, columns: columns.to_vec(), sentences },
            Kind::Parquet(builder) => parquet_rows(*builder, &path, &indices, sentences)?,
        };
        Ok(Rows { path, kind })
    }
}

/// The fields asked for of each row: an iterator made by [`Table::rows`], each item with the row's line (or row) from 1.
pub(crate) struct Rows {
    path: PathBuf,
    kind: RowKind,
}

enum RowKind {
    Tsv { lines: Lines, indices: Vec<usize>, width: usize },
    Csv { records: Box<CsvRecords>, indices: Vec<usize> },
    Json { lines: Lines, first: Option<Map<String, Value>>, columns: Vec<String>, sentences: usize },
    Parquet { reader: ParquetRecordBatchReader, places: Vec<usize>, batch: Vec<StringArray>, next: usize, row: u64 },
}

type Row = (u64, Vec<String>);

impl Iterator for Rows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        let path = &self.path;
        match &mut self.kind {
            RowKind::Tsv { lines, indices, width } => next_tsv(path, lines, indices, *width),
            RowKind::Csv { records, indices } => next_csv(records, indices),
            RowKind::Json { lines, first, columns, sentences } => {
                let object = first.take().map_or_else(|| next_object(lines), |first| Ok(Some(first)));
                object.and_then(|object| {
                    object.map(|object| fields_of(path, lines, object, columns, *sentences)).transpose()
                })
            }
            RowKind::Parquet { reader, places, batch, next, row } => {
                if batch.first().is_none_or(|column| *next >= column.len()) {
                    match next_batch(reader)? {
                        Ok(read) => match strings(path, &read, places) {
                            Ok(columns) => (*batch, *next) = (columns, 0),
                            Err(error) => return Some(Err(error)),
                        },
                        Err(error) => return Some(Err(failed(path, error.into()))),
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

fn next_tsv(path: &Path, lines: &mut Lines, indices: &[usize], width: usize) -> Result<Option<Row>> {
    let Some(text) = lines.next_line()? else { return Ok(None) };
    if text.is_empty() && width > 1 {
        // At the file's end an empty line does no harm.
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

fn next_csv(records: &mut CsvRecords, indices: &[usize]) -> Result<Option<Row>> {
    if !records.read()? {
        return Ok(None);
    }
    let fields = indices.iter().map(|&index| records.field(index));
    Ok(Some((records.line(), fields.collect::<Result<_>>()?)))
}

/// The next line's object; empty lines are none.
fn next_object(lines: &mut Lines) -> Result<Option<Map<String, Value>>> {
    loop {
        let value = match lines.next_line()? {
            Some(line) if line.trim().is_empty() => continue,
            Some(line) => serde_json::from_str::<Value>(&line),
            None => return Ok(None),
        };
        let (path, line) = (lines.path().to_owned(), lines.line());
        return match value {
            Ok(Value::Object(object)) => Ok(Some(object)),
            Ok(_) => {
                let what = "no object, which the columns' names belong to".to_owned();
                Err(TextError::Example { path, unit: "line", number: line, what }.into())
            }
            Err(source) => Err(TextError::Json { path, line, source }.into()),
        };
    }
}

fn fields_of(
    path: &Path,
    lines: &Lines,
    object: Map<String, Value>,
    columns: &[String],
    sentences: usize,
) -> Result<Row> {
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

/// What is wrong with an object that lacks the field `wanted`.
pub(super) fn no_field(wanted: &str, object: &Map<String, Value>) -> String {
    let others: Vec<String> = object.keys().map(|name| format!("`{name}`")).collect();
    match others.is_empty() {
        true => format!("no field `{wanted}`"),
        false => format!("no field `{wanted}`, only {}", others.join(", ")),
    }
}

fn failed(path: &Path, source: ParquetError) -> Error {
    TextError::Parquet { operation: "read", path: path.to_owned(), source }.into()
}

/// Begins to read a `.parquet` file.
fn open_parquet(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // Plain strings then, whatever the program that wrote it kept them in.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = caught(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options));
    Ok(builder.map_err(|source| failed(path, source))?.with_batch_size(PARQUET_ROWS))
}

fn parquet_rows(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    indices: &[usize],
    sentences: usize,
) -> Result<RowKind> {
    let fields = builder.schema().fields();
    for (place, field) in indices.iter().filter_map(|&index| fields.get(index)).enumerate() {
        let kind = field.data_type();
        let (fits, wanted) = match place < sentences {
            true => (*kind == DataType::Utf8, "strings"),
            false => (*kind == DataType::Utf8 || kind.is_numeric(), "strings or numbers"),
        };
        if !fits {
            let (path, column, found) = (path.to_owned(), field.name().clone(), kind.to_string());
            return Err(TextError::ColumnType { path, column, found, wanted }.into());
        }
    }
    // What is read comes in the file's order, each column once.
    let mut read = indices.to_vec();
    read.sort_unstable();
    read.dedup();
    let places = indices.iter().filter_map(|index| read.iter().position(|other| other == index)).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), read);
    let reader = caught(|| builder.with_projection(mask).build()).map_err(|source| failed(path, source))?;
    Ok(RowKind::Parquet { reader, places, batch: Vec::new(), next: 0, row: 0 })
}

/// The batch's columns at `places` as strings.
fn strings(path: &Path, batch: &RecordBatch, places: &[usize]) -> Result<Vec<StringArray>> {
    let column = |&place: &usize| {
        let strings = cast(batch.column(place), &DataType::Utf8).map_err(|error| failed(path, error.into()))?;
        Ok(strings.as_string().clone())
    };
    places.iter().map(column).collect()
}
