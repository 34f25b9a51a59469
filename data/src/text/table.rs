//! [`TableReader`]: rows of named columns, from a `.tsv`, `.csv`, `.jsonl` or `.parquet` file.

use std::fs::File;
use std::iter::from_fn;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use super::TextError;
use super::csv_records::CsvRecords;
use super::decode::Encodings;
use super::lines::Lines;
use super::source::{TextFormat, format_of};
use crate::codec::check_codecs;
use crate::error::{Error, Result};
use crate::parquet_file::{open, rows};

/// How many rows of a Parquet file are decoded at a time.
const PARQUET_ROWS: usize = 1024;

/// A file with named columns, of which only the names are read yet.
pub(crate) struct TableReader {
    path: PathBuf,
    /// The names of the columns, in order.
    pub(crate) names: Vec<String>,
    format: TableFormat,
}

enum TableFormat {
    Tsv(Lines),
    Csv(Box<CsvRecords>),
    Json { lines: Lines, first: Map<String, Value> },
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
                (TableFormat::Json { lines, first }, names)
            }
            TextFormat::Parquet => {
                // Without the Arrow schema of the program that wrote the file, all strings are plain ones.
                let builder = open(path, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
                let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
                (TableFormat::Parquet(Box::new(builder.with_batch_size(PARQUET_ROWS))), names)
            }
        };
        Ok(Self { path: path.to_owned(), names, format })
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
        Ok(match format {
            TableFormat::Tsv(mut lines) => {
                Box::new(from_fn(move || next_tsv(&mut lines, &indices, names.len()).transpose()))
            }
            TableFormat::Csv(mut records) => Box::new(from_fn(move || next_csv(&mut records, &indices).transpose())),
            TableFormat::Json { mut lines, first } => {
                let (mut first, columns) = (Some(first), columns.to_vec());
                Box::new(from_fn(move || {
                    let object = first.take().map(Ok).or_else(|| next_object(&mut lines).transpose())?;
                    Some(object.and_then(|object| fields_of(&lines, &object, &columns, sentences)))
                }))
            }
            TableFormat::Parquet(builder) => parquet_rows(*builder, &path, &indices, sentences)?,
        })
    }
}

/// The number of a line or row, from 1, and its fields.
type NumberedRow = (u64, Vec<String>);

/// The rows of a table, made by [`TableReader::rows`].
pub(crate) type TableRows = Box<dyn Iterator<Item = Result<NumberedRow>> + Send>;

fn next_tsv(lines: &mut Lines, indices: &[usize], width: usize) -> Result<Option<NumberedRow>> {
    let Some(text) = lines.next_line()? else { return Ok(None) };
    let fields: Vec<_> = if text.is_empty() && width > 1 { Vec::new() } else { text.split('\t').collect() };
    let found = fields.len();
    let picked = indices.iter().filter_map(|&index| fields.get(index)).map(|&field| field.to_owned()).collect();
    drop(text);
    let line = lines.line;
    if found == width {
        return Ok(Some((line, picked)));
    }
    // An empty line is allowed at the end of the file.
    if found == 0 && lines.next_line()?.is_none() {
        return Ok(None);
    }
    let (path, found, wanted) = (lines.path.clone(), found as u64, width as u64);
    Err(TextError::Ragged { path, line, found, wanted }.into())
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
            let (path, number) = (lines.path.clone(), lines.line);
            let what = "no object, which the columns' names belong to".to_owned();
            Err(TextError::Example { path, unit: "line", number, what }.into())
        }
    }
}

fn fields_of(lines: &Lines, object: &Map<String, Value>, columns: &[String], sentences: usize) -> Result<NumberedRow> {
    let bad = |what| TextError::Example { path: lines.path.clone(), unit: "line", number: lines.line, what };
    if let Some(wanted) = columns.iter().find(|&column| !object.contains_key(column)) {
        return Err(bad(no_field(wanted, object)).into());
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
    Ok((lines.line, fields))
}

/// The message for an object that lacks the field `wanted`.
pub(super) fn no_field(wanted: &str, object: &Map<String, Value>) -> String {
    let others: Vec<String> = object.keys().map(|name| format!("`{name}`")).collect();
    match others.is_empty() {
        true => format!("no field `{wanted}`"),
        false => format!("no field `{wanted}`, only {}", others.join(", ")),
    }
}

fn parquet_rows(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    indices: &[usize],
    sentences: usize,
) -> Result<TableRows> {
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
    let places: Vec<_> = indices.iter().filter_map(|index| read.iter().position(|other| other == index)).collect();
    check_codecs(builder.metadata(), &read, path)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), read);
    let rows = rows(builder.with_projection(mask), path, move |batch| fields_of_rows(batch, &places))?;
    Ok(Box::new(rows.zip(1..).map(|(row, number)| row.map(|fields| (number, fields)))))
}

/// The fields of each row of a batch, from the columns at `places`, as strings.
fn fields_of_rows(batch: &RecordBatch, places: &[usize]) -> std::result::Result<Vec<Vec<String>>, ArrowError> {
    let column = |&place: &usize| Ok(cast(batch.column(place), &DataType::Utf8)?.as_string::<i32>().clone());
    let columns: Vec<StringArray> = places.iter().map(column).collect::<std::result::Result<_, ArrowError>>()?;
    let field = |column: &StringArray, row| if column.is_null(row) { "" } else { column.value(row) }.to_owned();
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| field(column, row)).collect()).collect())
}
