//! [`TextReader`]: every text of a file, folder or stream, with blank texts and duplicates.

use std::io::BufRead;
use std::iter::{from_fn, once};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::TextError;
use super::decode::Encodings;
use super::lines::Lines;
use super::source::{self, TextFile, TextFormat};
use super::table::{TableReader, no_field};
use crate::error::Result;

/// The texts of a file, folder or stream, from [`read_texts`] and [`read_lines`].
pub type TextReader = Box<dyn Iterator<Item = Result<String>> + Send>;

/// All texts of a file or folder, in order; the next text is read when it is asked for.
///
/// Every row is a text: blank rows and duplicates too. A file without any row is an error. After an error the iterator
/// ends.
pub fn read_texts(path: &Path, column: Option<&str>, encoding: Option<&str>) -> Result<TextReader> {
    let encodings = Encodings::parse(encoding)?;
    Ok(read_files(source::files(path, column)?, column, &encodings))
}

/// As [`read_texts`], of these files.
pub(super) fn read_files(files: Vec<TextFile>, column: Option<&str>, encodings: &Encodings) -> TextReader {
    let (column, encodings) = (column.map(str::to_owned), encodings.clone());
    until_error(files.into_iter().flat_map(move |file| {
        let rows = open(&file, column.as_deref(), &encodings).map(|rows| not_empty(rows, file.path));
        rows.unwrap_or_else(|error| Box::new(once(Err(error))))
    }))
}

/// All lines of `reader`, such as the standard input; `name` is its name in errors. No line at all is an error. After
/// an error the iterator ends.
pub fn read_lines(reader: impl BufRead + Send + 'static, name: &Path, encoding: Option<&str>) -> Result<TextReader> {
    let encodings = Encodings::parse(encoding)?;
    let lines = Lines::new(encodings.wrap(Box::new(reader)), name, &encodings);
    Ok(until_error(not_empty(line_rows(lines), name.to_owned())))
}

/// The rows, or an error where there are none.
fn not_empty(mut rows: TextReader, path: PathBuf) -> TextReader {
    let mut empty = Some(TextError::Empty { path });
    Box::new(from_fn(move || match (rows.next(), empty.take()) {
        (None, Some(error)) => Some(Err(error.into())),
        (row, _) => row,
    }))
}

/// The rows up to the first error, with that error.
fn until_error(rows: impl Iterator<Item = Result<String>> + Send + 'static) -> TextReader {
    let mut failed = false;
    Box::new(rows.take_while(move |row| !std::mem::replace(&mut failed, row.is_err())))
}

/// The rows of one file.
fn open(file: &TextFile, column: Option<&str>, encodings: &Encodings) -> Result<TextReader> {
    let path = &file.path;
    Ok(match file.format {
        TextFormat::Lines => line_rows(Lines::open(path, encodings)?),
        TextFormat::Json => json_rows(Lines::open(path, encodings)?, column.unwrap_or("text").to_owned()),
        TextFormat::Tsv | TextFormat::Csv | TextFormat::Parquet => {
            let table = TableReader::open_as(file.format, path, encodings)?;
            let column = match column {
                Some(column) => column.to_owned(),
                None => column_of_texts(path, &table)?,
            };
            Box::new(table.rows(&[column], 1)?.map(|row| row.map(|(_, fields)| fields.concat())))
        }
    })
}

/// The column with the texts where none is named: `text`, or the only column.
fn column_of_texts(path: &Path, table: &TableReader) -> Result<String> {
    let columns = table.names_of_strings();
    let meant = |names: &[String]| {
        names.iter().find(|name| *name == "text").or(names.first().filter(|_| names.len() == 1)).cloned()
    };
    // Without a column of strings, reading the column that would be meant reports its type.
    let found = if columns.is_empty() { meant(&table.names) } else { meant(&columns) };
    found.ok_or_else(|| TextError::WhichColumn { path: path.to_owned(), columns }.into())
}

fn line_rows(mut lines: Lines) -> TextReader {
    Box::new(from_fn(move || lines.next_line().map(|line| line.map(Into::into)).transpose()))
}

fn json_rows(mut lines: Lines, field: String) -> TextReader {
    Box::new(from_fn(move || {
        let value = lines.next_json().transpose()?;
        let no_text = |found| TextError::NoText { path: lines.path.clone(), line: lines.line, found };
        Some(value.and_then(|value| Ok(text_of(value, &field).map_err(no_text)?)))
    }))
}

/// The text in a line's value, or what is wrong with the value.
fn text_of(value: Value, field: &str) -> std::result::Result<String, String> {
    let found = match value {
        Value::String(text) => return Ok(text),
        Value::Object(mut object) => match object.remove(field) {
            Some(Value::String(text)) => return Ok(text),
            // A missing value is an empty text, as in a table.
            Some(Value::Null) => return Ok(String::new()),
            Some(other) => format!("the field `{field}` is {}, not a string", value_name(&other)),
            None => no_field(field, &object),
        },
        other => format!("{} where a string or an object belongs", value_name(&other)),
    };
    Err(found)
}

/// What a JSON value is called in errors.
fn value_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
