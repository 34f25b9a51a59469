//! [`rows_of`]: the rows of one file with their ids, titles and texts.

use std::iter::from_fn;
use std::path::{Path, PathBuf};

use super::CollectionError;
use super::columns::RowNames;
use crate::error::{Error, Result};
use crate::text::{HashSet64, Lines, Place, ReadOptions, TableReader, TextError, TextFormat, hash, read_texts};

/// A row, before it is a document or a query.
pub(super) struct Row {
    /// Where it stands in the file.
    pub(super) place: Place,
    /// Its id; `None` where the file has none.
    pub(super) id: Option<String>,
    /// Its title; empty where there is none.
    pub(super) title: String,
    /// Its text; empty where there is none.
    pub(super) text: String,
}

/// The rows of a file.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Row>> + Send>;

/// The rows of the file at `path`; of plain text, its lines that are not blank.
pub(super) fn rows_of(path: &Path, format: TextFormat, names: RowNames) -> Result<Rows> {
    let options = ReadOptions::default();
    if format == TextFormat::Lines {
        return Ok(line_rows(Lines::open(path, &options)?));
    }
    let table = match TableReader::open(path, &options) {
        // The values are strings, not objects.
        Err(Error::Text(TextError::Example { .. })) => return string_rows(path),
        table => table?,
    };
    table_rows(path, table, names)
}

fn table_rows(path: &Path, table: TableReader, mut names: RowNames) -> Result<Rows> {
    if let [only] = &table.names[..]
        && !names.id.contains(only)
    {
        names.text.push(only.clone());
    }
    let RowNames { id, title, text } = names;
    if !title.iter().chain(&text).any(|name| table.has(name)) {
        return Err(CollectionError::WhichColumn { path: path.to_owned(), columns: table.names }.into());
    }
    let (unit, path) = (table.unit(), path.to_owned());
    let rows = table.rows_by_names(vec![id, title, text])?;
    Ok(Box::new(rows.map(move |row| {
        let (number, fields) = row.map_err(row_error)?;
        let place = Place { unit, number };
        let row_problem = |what: &str| CollectionError::Row { path: path.clone(), place, what: what.to_owned() };
        let mut fields = fields.into_iter();
        let [id, title, text] = std::array::from_fn(|_| fields.next().flatten());
        if title.is_none() && text.is_none() {
            return Err(row_problem("no title and no text").into());
        }
        if id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            return Err(row_problem("the id is empty").into());
        }
        let id = id.map(|id| id.trim().to_owned());
        Ok(Row { place, id, title: title.unwrap_or_default(), text: text.unwrap_or_default() })
    })))
}

/// An error of a table's row with the hint that documents need.
fn row_error(error: Error) -> Error {
    match error {
        Error::Text(TextError::Example { path, unit, number, what }) => {
            CollectionError::Row { path, place: Place { unit, number }, what }.into()
        }
        other => other,
    }
}

fn line_rows(mut lines: Lines) -> Rows {
    Box::new(from_fn(move || {
        loop {
            return match lines.next_line() {
                Ok(None) => None,
                Ok(Some(line)) if line.trim().is_empty() => continue,
                Ok(Some(line)) => {
                    let text = line.into_owned();
                    Some(Ok(Row { place: Place::line(lines.line), id: None, title: String::new(), text }))
                }
                Err(error) => Some(Err(error)),
            };
        }
    }))
}

/// The strings of a JSON file, counted.
fn string_rows(path: &Path) -> Result<Rows> {
    let place = |number| Place { unit: "element", number };
    Ok(Box::new(
        read_texts(path, None, None)?
            .zip(1..)
            .map(move |(text, number)| Ok(Row { place: place(number), id: None, title: String::new(), text: text? })),
    ))
}

/// The ids met so far, each by eight bytes.
#[derive(Default)]
pub(super) struct Ids(HashSet64);

impl Ids {
    /// Refuses an id that was met before.
    pub(super) fn add(&mut self, id: &str, path: &Path, place: Place) -> Result<()> {
        if self.0.insert(hash(id)) {
            return Ok(());
        }
        let path: PathBuf = path.to_owned();
        Err(CollectionError::DuplicateId { path, place, id: id.to_owned() }.into())
    }
}
