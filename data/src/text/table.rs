//! [`TableReader`]: rows of named columns, from a `.tsv`, `.csv`, `.jsonl`, `.json`, `.parquet` or `.py` file.

use std::fs::File;
use std::iter::from_fn;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use super::csv_records::CsvRecords;
use super::format::{TextFormat, format_of};
use super::json_values::{JsonValues, field_of, no_field};
use super::lines::Lines;
use super::parquet_rows::{ColumnsWanted, NumberedRow, TableRows, has_column, parquet_rows};
use super::{Place, ReadOptions, TextError};
use crate::error::{Error, Result};
use crate::parquet_file::open;

/// A file with named columns, of which only the names are read yet.
pub(crate) struct TableReader {
    path: PathBuf,
    /// The names of the columns, in order.
    pub(crate) names: Vec<String>,
    row_limit: usize,
    format: TableFormat,
}

enum TableFormat {
    Tsv(Lines),
    Csv(Box<CsvRecords>),
    Json { values: Box<JsonValues>, first: Map<String, Value> },
    Parquet(Box<ParquetRecordBatchReaderBuilder<File>>),
}

impl TableFormat {
    /// Whether there is a column of this name; of JSON, in the first object.
    fn has(&self, column: &str, names: &[String]) -> bool {
        match self {
            Self::Json { first, .. } => field_of(first, column).is_some(),
            Self::Parquet(builder) => has_column(builder, column),
            _ => names.iter().any(|name| name == column),
        }
    }
}

/// The number of a line or row, from 1, and its fields, `None` for one that the row does not have.
pub(crate) type NumberedFields = (u64, Vec<Option<String>>);

impl TableReader {
    /// Reads the names of the file's columns from its first line, record or object, or from its schema.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is a `.txt` or has an unknown extension.
    pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
        match format_of(path).filter(|_| !metadata.is_dir()) {
            Some(format) => Self::open_as(format, path, options),
            None => Err(TextError::UnknownFormat { path: path.to_owned() }.into()),
        }
    }

    /// As [`TableReader::open`]; a file without the extension of another format is read as TSV.
    pub(crate) fn open_or_tsv(path: &Path, options: &ReadOptions) -> Result<Self> {
        let format = format_of(path).filter(|&format| format != TextFormat::Lines).unwrap_or(TextFormat::Tsv);
        Self::open_as(format, path, options)
    }

    /// As [`TableReader::open`], in the given format.
    pub(super) fn open_as(format: TextFormat, path: &Path, options: &ReadOptions) -> Result<Self> {
        let empty = || TextError::Empty { path: path.to_owned() };
        let (format, names) = match format {
            TextFormat::Lines => return Err(TextError::NoTable { path: path.to_owned() }.into()),
            TextFormat::Tsv => {
                let mut lines = Lines::open(path, options)?;
                let header = lines.next_line()?.ok_or_else(empty)?;
                let names = header.split('\t').map(|name| name.trim().to_owned()).collect();
                (TableFormat::Tsv(lines), names)
            }
            TextFormat::Csv => {
                let (records, names) = CsvRecords::open(path, options)?.ok_or_else(empty)?;
                (TableFormat::Csv(Box::new(records)), names)
            }
            TextFormat::Json | TextFormat::JsonLines | TextFormat::Python => {
                let mut values = Box::new(JsonValues::open(path, format, None, options)?);
                let first = next_object(&mut values)?.ok_or_else(empty)?;
                let names = first.keys().cloned().collect();
                (TableFormat::Json { values, first }, names)
            }
            TextFormat::Parquet => {
                // Without the Arrow schema of the program that wrote the file, all strings are plain ones.
                let builder = open(path, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
                let names = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
                (TableFormat::Parquet(Box::new(builder)), names)
            }
        };
        Ok(Self { path: path.to_owned(), names, row_limit: options.row_limit, format })
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
        match &self.format {
            TableFormat::Parquet(_) => "row",
            TableFormat::Json { values, .. } => values.place().unit,
            _ => "line",
        }
    }

    /// The rows, with the fields of `columns` in that order. Where the format has types, the first `sentences` columns
    /// must be strings, and numbers in the others are written out. A missing value is an empty string.
    pub(crate) fn rows(self, columns: &[String], sentences: usize) -> Result<TableRows> {
        let Self { path, names, row_limit, format } = self;
        let no_column = |column: &str| {
            let (path, column, columns) = (path.clone(), column.to_owned(), names.clone());
            TextError::NoColumn { path, column, columns }
        };
        if let Some(column) = columns.iter().find(|column| !format.has(column, &names)) {
            return Err(no_column(column).into());
        }
        let indices = || columns.iter().filter_map(|column| names.iter().position(|name| name == column)).collect();
        Ok(match format {
            TableFormat::Tsv(mut lines) => {
                let (indices, width): (Vec<_>, _) = (indices(), names.len());
                Box::new(from_fn(move || next_tsv(&mut lines, &indices, width).transpose()))
            }
            TableFormat::Csv(mut records) => {
                let indices: Vec<_> = indices();
                Box::new(from_fn(move || next_csv(&mut records, &indices).transpose()))
            }
            TableFormat::Json { mut values, first } => {
                let (mut first, columns) = (Some(first), columns.to_vec());
                Box::new(from_fn(move || {
                    let object = first.take().map(Ok).or_else(|| next_object(&mut values).transpose())?;
                    Some(object.and_then(|object| fields_in(&values, &object, &columns, sentences)))
                }))
            }
            TableFormat::Parquet(builder) => {
                let limit = row_limit;
                parquet_rows(*builder, &path, ColumnsWanted { columns, sentences, limit })?
            }
        })
    }
}

impl TableReader {
    /// Whether the file has a column of this name; of JSON, its first object.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.format.has(column, &self.names)
    }

    /// The rows, with the first column of each of `fields` that there is; objects of JSON are asked one by one. Numbers
    /// are written out.
    pub(crate) fn rows_by_names(
        self,
        fields: Vec<Vec<String>>,
    ) -> Result<Box<dyn Iterator<Item = Result<NumberedFields>> + Send>> {
        if let TableFormat::Json { mut values, first } = self.format {
            let mut first = Some(first);
            return Ok(Box::new(from_fn(move || {
                let object = first.take().map(Ok).or_else(|| next_object(&mut values).transpose())?;
                Some(object.and_then(|object| fields_by_names(&values, &object, &fields)))
            })));
        }
        let found: Vec<Option<String>> =
            fields.iter().map(|names| names.iter().find(|name| self.has(name)).cloned()).collect();
        let columns: Vec<String> = found.iter().flatten().cloned().collect();
        Ok(Box::new(self.rows(&columns, 0)?.map(move |row| {
            row.map(|(number, fields)| {
                let mut fields = fields.into_iter();
                (number, found.iter().map(|column| column.as_ref().and_then(|_| fields.next())).collect())
            })
        })))
    }
}

fn next_tsv(lines: &mut Lines, indices: &[usize], width: usize) -> Result<Option<NumberedRow>> {
    let Some(text) = lines.next_line()? else { return Ok(None) };
    let mut picked = vec![String::new(); indices.len()];
    let mut found = 0;
    if !(text.is_empty() && width > 1) {
        for field in text.split('\t') {
            let wanted = picked.iter_mut().zip(indices).filter(|(_, index)| **index == found);
            wanted.for_each(|(place, _)| place.push_str(field));
            found += 1;
        }
    }
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

/// The next object.
fn next_object(values: &mut JsonValues) -> Result<Option<Map<String, Value>>> {
    match values.next_json()? {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(bad_example(values, "no object, which the columns' names belong to".to_owned())),
    }
}

fn bad_example(values: &JsonValues, what: String) -> Error {
    let Place { unit, number } = values.place();
    TextError::Example { path: values.path().to_owned(), unit, number, what }.into()
}

fn fields_in(
    values: &JsonValues,
    object: &Map<String, Value>,
    columns: &[String],
    sentences: usize,
) -> Result<NumberedRow> {
    let mut fields = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let value = field_of(object, column).ok_or_else(|| bad_example(values, no_field(column, object)))?;
        fields.push(written(values, value, column, if index < sentences { FieldType::Text } else { FieldType::Any })?);
    }
    Ok((values.place().number, fields))
}

fn fields_by_names(values: &JsonValues, object: &Map<String, Value>, fields: &[Vec<String>]) -> Result<NumberedFields> {
    let field = |names: &Vec<String>| {
        let found = names.iter().find_map(|name| Some((name, field_of(object, name)?)));
        found.map(|(name, value)| written(values, value, name, FieldType::Any)).transpose()
    };
    Ok((values.place().number, fields.iter().map(field).collect::<Result<_>>()?))
}

/// What a field may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldType {
    /// A string, or nothing.
    Text,
    /// A number or a truth value too, which is written out.
    Any,
}

/// The value of the field `column` as text.
fn written(values: &JsonValues, value: &Value, column: &str, wanted: FieldType) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        Value::Number(number) if wanted == FieldType::Any => Ok(number.to_string()),
        Value::Bool(truth) if wanted == FieldType::Any => Ok(truth.to_string()),
        _ => Err(bad_example(values, format!("the field `{column}` is of the wrong type"))),
    }
}
