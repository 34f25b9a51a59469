//! [`TextReader`]: every text of a file, folder or stream, with blank texts and duplicates.

use std::io::BufRead;
use std::iter::{from_fn, once};
use std::path::{Path, PathBuf};

use super::decode::Encodings;
use super::format::TextFormat;
use super::json_values::{JsonValues, text_of};
use super::lines::Lines;
use super::source::{self, TextFile};
use super::table::TableReader;
use super::{ReadOptions, TextError};
use crate::error::Result;

/// The texts of a file, folder or stream, from [`read_texts`] and [`read_lines`].
pub type TextReader = Box<dyn Iterator<Item = Result<String>> + Send>;

/// All texts of a file or folder, in order; the next text is read when it is asked for.
///
/// Every row is a text: blank rows and duplicates too. A file without any row is an error, and so is a row of more than
/// [`super::MAX_ROW_BYTES`]. After an error the iterator ends.
pub fn read_texts(path: &Path, column: Option<&str>, encoding: Option<&str>) -> Result<TextReader> {
    let options = ReadOptions::new(Encodings::parse(encoding)?);
    let files = source::files(path, column, &options)?.files;
    let column = column.map(str::to_owned);
    Ok(until_error(files.into_iter().flat_map(move |file| {
        read_rows(&file, column.as_deref(), &options).unwrap_or_else(|error| Box::new(once(Err(error))))
    })))
}

/// All texts of a file. After [`TextError::TooLong`] the iterator goes on with the next text.
pub(super) fn read_rows(file: &TextFile, column: Option<&str>, options: &ReadOptions) -> Result<TextReader> {
    Ok(not_empty(open(file, column, options)?, file.path.clone()))
}

/// All lines of `reader`, such as the standard input; `name` is its name in errors. No line at all is an error. After
/// an error the iterator ends.
pub fn read_lines(reader: impl BufRead + Send + 'static, name: &Path, encoding: Option<&str>) -> Result<TextReader> {
    let options = ReadOptions::new(Encodings::parse(encoding)?);
    let lines = Lines::new(options.encodings.wrap(Box::new(reader)), name, &options);
    Ok(until_error(not_empty(line_rows(lines), name.to_owned())))
}

/// The rows, or an error where there are none.
pub(super) fn not_empty<T>(
    mut rows: impl Iterator<Item = Result<T>> + Send + 'static,
    path: PathBuf,
) -> Box<dyn Iterator<Item = Result<T>> + Send> {
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

/// The rows of one file, which may have none.
pub(super) fn open(file: &TextFile, column: Option<&str>, options: &ReadOptions) -> Result<TextReader> {
    let path = &file.path;
    Ok(match file.format {
        TextFormat::Lines => line_rows(Lines::open(path, options)?),
        format @ (TextFormat::JsonLines | TextFormat::Json | TextFormat::Python) => {
            json_rows(JsonValues::open(path, format, column, options)?, column)
        }
        TextFormat::Tsv | TextFormat::Csv | TextFormat::Parquet => {
            let table = TableReader::open_as(file.format, path, options)?;
            let column = match column {
                Some(column) => column.to_owned(),
                None => column_of_texts(path, &table, &[])?,
            };
            Box::new(table.rows(&[column], 1)?.map(|row| row.map(|(_, fields)| fields.concat())))
        }
    })
}

/// The column with the texts where none is named: `text`, or the only column beside `others`.
pub(super) fn column_of_texts(path: &Path, table: &TableReader, others: &[&str]) -> Result<String> {
    let columns = table.names_of_strings();
    let meant = |names: &[String]| {
        let mut rest = names.iter().filter(|name| !others.contains(&name.as_str()));
        let only = match (rest.next(), rest.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        names.iter().find(|name| *name == "text").or(only).cloned()
    };
    // Without a column of strings, reading the column that would be meant reports its type.
    let found = if columns.is_empty() { meant(&table.names) } else { meant(&columns) };
    found.ok_or_else(|| TextError::WhichColumn { path: path.to_owned(), columns }.into())
}

fn line_rows(mut lines: Lines) -> TextReader {
    Box::new(from_fn(move || lines.next_line().map(|line| line.map(Into::into)).transpose()))
}

fn json_rows(mut values: JsonValues, column: Option<&str>) -> TextReader {
    let field = column.unwrap_or("text").to_owned();
    Box::new(from_fn(move || {
        let value = values.next_json().transpose()?;
        let no_text = |found| TextError::NoText { path: values.path().to_owned(), place: values.place(), found };
        Some(value.and_then(|value| Ok(text_of(value, &field).map_err(no_text)?)))
    }))
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
