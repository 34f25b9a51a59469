//! [`TextReader`]: every text of a file, folder or stream, with blank texts and duplicates.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::TextError;
use super::decode::Encodings;
use super::lines::Lines;
use super::source::{self, TextFile, TextFormat};
use super::table::{TableReader, no_field};
use crate::error::Result;

type TextRows = Box<dyn Iterator<Item = Result<String>> + Send>;

/// All texts of a file or folder, in order; the next text is read when it is asked for.
///
/// Every row is a text: blank rows and duplicates too. A file without any row is an error. After an error the iterator
/// ends.
pub fn read_texts(path: &Path, column: Option<&str>, encoding: Option<&str>) -> Result<TextReader> {
    let encodings = Encodings::parse(encoding)?;
    let files = source::files(path, column)?.into_iter();
    Ok(TextReader { files, column: column.map(str::to_owned), encodings, current: None, failed: false })
}

/// All lines of `reader`, such as the standard input; `name` is its name in errors. No line at all is an error.
pub fn read_lines(reader: impl BufRead + Send + 'static, name: &Path, encoding: Option<&str>) -> Result<TextReader> {
    let encodings = Encodings::parse(encoding)?;
    let lines = Lines::new(encodings.wrap(Box::new(reader)), name, &encodings);
    let current = Some(OpenFile { rows: Box::new(LineRows(lines)), path: name.to_owned(), any: false });
    Ok(TextReader { files: Vec::new().into_iter(), column: None, encodings, current, failed: false })
}

/// An iterator over the texts of a file, folder or stream, made by [`read_texts`] and [`read_lines`].
pub struct TextReader {
    files: std::vec::IntoIter<TextFile>,
    column: Option<String>,
    encodings: Encodings,
    current: Option<OpenFile>,
    failed: bool,
}

struct OpenFile {
    rows: TextRows,
    path: PathBuf,
    any: bool,
}

impl TextReader {
    /// The texts of one file.
    pub(super) fn of_file(file: TextFile, column: Option<&str>, encodings: &Encodings) -> Self {
        let (files, column) = (vec![file].into_iter(), column.map(str::to_owned));
        Self { files, column, encodings: encodings.clone(), current: None, failed: false }
    }

    fn step(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(text) = current.rows.next() {
                    current.any = true;
                    return text.map(Some);
                }
                if !current.any {
                    return Err(TextError::Empty { path: current.path.clone() }.into());
                }
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            let rows = open(&file, self.column.as_deref(), &self.encodings)?;
            self.current = Some(OpenFile { rows, path: file.path, any: false });
        }
    }
}

impl Iterator for TextReader {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        if self.failed {
            return None;
        }
        let text = self.step();
        self.failed = !matches!(text, Ok(Some(_)));
        text.transpose()
    }
}

/// The rows of one file.
fn open(file: &TextFile, column: Option<&str>, encodings: &Encodings) -> Result<TextRows> {
    let path = &file.path;
    Ok(match file.format {
        TextFormat::Lines => Box::new(LineRows(Lines::open(path, encodings)?)),
        TextFormat::Json => {
            let field = column.unwrap_or("text").to_owned();
            Box::new(JsonRows { lines: Lines::open(path, encodings)?, field })
        }
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
    let found = if columns.is_empty() { meant(table.names()) } else { meant(&columns) };
    found.ok_or_else(|| TextError::WhichColumn { path: path.to_owned(), columns }.into())
}

struct LineRows(Lines);

impl Iterator for LineRows {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        self.0.next_line().map(|line| line.map(Into::into)).transpose()
    }
}

struct JsonRows {
    lines: Lines,
    field: String,
}

impl Iterator for JsonRows {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        let value = self.lines.next_json().transpose()?;
        Some(value.and_then(|value| {
            text_of(value, &self.field).map_err(|found| {
                let (path, line) = (self.lines.path().to_owned(), self.lines.line());
                TextError::NoText { path, line, found }.into()
            })
        }))
    }
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
