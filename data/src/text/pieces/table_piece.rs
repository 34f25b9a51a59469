//! The rows of a file that is no Parquet; all kept columns are strings.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};

use super::super::format::TextFormat;
use super::super::rows::{column_of_texts, open};
use super::super::source::TextFile;
use super::super::table::TableReader;
use super::{BATCH_BYTES, BATCH_ROWS, KeptColumns, PieceColumns, PieceRows, RowBatch, TEXT, TextError};
use crate::error::Result;

/// The rows of `file`.
pub(super) fn rows(file: &TextFile, columns: &PieceColumns) -> Result<PieceRows> {
    let options = columns.options()?;
    let is_plain = file.format == TextFormat::Lines;
    if columns.kept == KeptColumns::None || is_plain {
        let names = columns.kept_of(&[TEXT.to_owned()]);
        if let Some(name) = names.iter().find(|name| *name != TEXT) {
            let (path, column, columns) = (file.path.clone(), name.clone(), vec![TEXT.to_owned()]);
            return Err(TextError::NoColumn { path, column, columns }.into());
        }
        let texts = open(file, columns.text.as_deref().filter(|_| !is_plain), &options)?;
        let is_kept = columns.with_text || !names.is_empty();
        let kept = if is_kept { vec![TEXT.to_owned()] } else { Vec::new() };
        return Ok(in_batches(kept, false, texts.map(|text| text.map(|text| vec![text]))));
    }
    let table = TableReader::open_as(file.format, &file.path, &options)?;
    let text = match &columns.text {
        Some(column) => column.clone(),
        None => column_of_texts(&file.path, &table, &[])?,
    };
    let mut names = columns.kept_of(&table.names);
    // The first of the read columns is the text; the others are kept.
    let mut read: Vec<String> = std::iter::once(&text).chain(&names).cloned().collect();
    if columns.with_text && !names.contains(&text) {
        names.push(TEXT.to_owned());
        read.push(text);
    }
    let rows = table.rows(&read, 1)?.map(|row| row.map(|(_, fields)| fields));
    Ok(in_batches(names, true, rows))
}

/// The rows in batches. With `has_text_apart` the first field of a row is its text and the others are kept, else all
/// are the text.
fn in_batches(
    names: Vec<String>,
    has_text_apart: bool,
    mut rows: impl Iterator<Item = Result<Vec<String>>> + Send + 'static,
) -> PieceRows {
    let fields: Vec<FieldRef> =
        names.iter().map(|name| Arc::new(Field::new(name, DataType::Utf8, false)) as FieldRef).collect();
    let kept = fields.len();
    let batches = std::iter::from_fn(move || {
        let batch = match next_batch(&mut rows).transpose()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        let column = |at: usize| StringArray::from_iter_values(batch.iter().map(|row| &row[at]));
        let texts = column(0);
        let kept: Vec<ArrayRef> = match has_text_apart {
            true => (1..=kept).map(|at| Arc::new(column(at)) as ArrayRef).collect(),
            false => (0..kept).map(|_| Arc::new(texts.clone()) as ArrayRef).collect(),
        };
        Some(Ok(RowBatch { texts, kept }))
    });
    PieceRows { fields, batches: Box::new(batches) }
}

/// The next rows, fewer where they are long; `None` after the last.
fn next_batch(rows: &mut impl Iterator<Item = Result<Vec<String>>>) -> Result<Option<Vec<Vec<String>>>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(row) = rows.next().transpose()? else { break };
        bytes += row.iter().map(String::len).sum::<usize>();
        batch.push(row);
    }
    Ok(Some(batch).filter(|batch| !batch.is_empty()))
}
