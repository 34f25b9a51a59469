//! The rows of a Parquet file or of one of its row groups; kept columns stay as they are stored.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};

use super::super::format::TextFormat;
use super::super::parquet_rows::{leaf_of, rows_at_a_time, string_column, type_of};
use super::super::rows::column_of_texts;
use super::super::table::TableReader;
use super::{PieceColumns, PieceRows, RowBatch, TEXT, TextError};
use crate::codec::check_codecs;
use crate::error::{Error, Result};
use crate::files;
use crate::parquet_file::{batches, caught, open};

/// How many bytes are hashed at a time.
const HASHED: usize = 1 << 18;

/// A Parquet file of which the columns are found.
pub(super) struct ParquetPiece {
    path: PathBuf,
    builder: ParquetRecordBatchReaderBuilder<File>,
    groups: Vec<usize>,
    /// The names from the top-level column with the text down to it.
    text: Vec<String>,
    /// The kept columns, in the order in which they are written.
    kept: Vec<String>,
    /// Whether the text is written as a column of its own.
    is_text_added: bool,
    /// The columns of plain values that are read.
    leaves: Vec<usize>,
}

/// How many row groups the file has.
pub(super) fn row_groups(path: &Path) -> Result<usize> {
    Ok(open(path, ArrowReaderOptions::new())?.metadata().num_row_groups())
}

impl ParquetPiece {
    /// Opens the file at `path`, of which `row_group` is read or all of it.
    pub(super) fn open(path: &Path, row_group: Option<usize>, columns: &PieceColumns) -> Result<Self> {
        let text = match &columns.text {
            Some(column) => column.clone(),
            None => column_of_texts(path, &TableReader::open_as(TextFormat::Parquet, path, &columns.options()?)?, &[])?,
        };
        let builder = open(path, ArrowReaderOptions::new())?;
        let all: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        let no_column = |column: &str| {
            let (path, column, columns) = (path.to_owned(), column.to_owned(), all.clone());
            TextError::NoColumn { path, column, columns }
        };
        let kept = columns.kept_of(&all);
        if let Some(column) = kept.iter().find(|column| !all.contains(column)) {
            return Err(no_column(column).into());
        }
        let leaf = leaf_of(&builder, &text).ok_or_else(|| no_column(&text))?;
        let found = type_of(&builder, &leaf.path).unwrap_or(DataType::Null);
        if !is_string(&found) {
            let (path, column, found) = (path.to_owned(), text, found.to_string());
            return Err(TextError::ColumnType { path, column, found, wanted: "strings" }.into());
        }
        let roots: Vec<usize> = (0..all.len()).filter(|&root| root == leaf.root || kept.contains(&all[root])).collect();
        check_codecs(builder.metadata(), &roots, path)?;
        let schema = builder.parquet_schema();
        let is_read = |&index: &usize| index == leaf.index || kept.contains(&all[schema.get_column_root_idx(index)]);
        let leaves = (0..schema.num_columns()).filter(is_read).collect();
        let groups = row_group.map_or_else(|| (0..builder.metadata().num_row_groups()).collect(), |group| vec![group]);
        let is_text_added = columns.with_text && !kept.contains(&text);
        Ok(Self { path: path.to_owned(), builder, groups, text: leaf.path, kept, is_text_added, leaves })
    }

    /// The sha256 of the stored bytes of the columns that are read.
    pub(super) fn sha256(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        let mut file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let mut bytes = vec![0; HASHED];
        for &group in &self.groups {
            let group = self.builder.metadata().row_group(group);
            hasher.update(group.num_rows().to_le_bytes());
            for &leaf in &self.leaves {
                let column = group.column(leaf);
                hasher.update(format!("{} {:?} ", column.column_path(), column.column_type()));
                let (start, mut left) = caught(&self.path, || Ok(column.byte_range()))?;
                file.seek(SeekFrom::Start(start)).map_err(Error::io("read", &self.path))?;
                while left > 0 {
                    let some = left.min(HASHED as u64) as usize;
                    file.read_exact(&mut bytes[..some]).map_err(Error::io("read", &self.path))?;
                    hasher.update(&bytes[..some]);
                    left -= some as u64;
                }
            }
        }
        Ok(files::hex(&hasher.finalize()))
    }

    /// The rows.
    pub(super) fn rows(self) -> Result<PieceRows> {
        let Self { path, builder, groups, text, kept, is_text_added, leaves } = self;
        let stored = builder.schema().clone();
        let mut fields: Vec<FieldRef> = Vec::with_capacity(kept.len() + 1);
        for name in &kept {
            let field = stored.field_with_name(name).map_err(Error::read_parquet(&path))?;
            fields.push(Arc::new(field.clone()));
        }
        if is_text_added {
            fields.push(Arc::new(Field::new(TEXT, DataType::Utf8, false)));
        }
        let rows = rows_at_a_time(&builder, &leaves);
        let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
        let builder = builder.with_projection(mask).with_row_groups(groups).with_batch_size(rows);
        let batches = batches(builder, &path, move |batch| row_batch(batch, &text, &kept, is_text_added))?;
        Ok(PieceRows { fields, batches: Box::new(batches) })
    }
}

fn row_batch(
    batch: &RecordBatch,
    text: &[String],
    kept: &[String],
    is_text_added: bool,
) -> std::result::Result<RowBatch, ArrowError> {
    let texts = string_column(batch, text)?;
    // Without nulls, as the column is written.
    let texts = StringArray::from_iter_values(texts.iter().map(Option::unwrap_or_default));
    let missing = |name: &String| ArrowError::SchemaError(format!("the column {name} is missing"));
    let column = |name: &String| batch.column_by_name(name).cloned().ok_or_else(|| missing(name));
    let mut kept = kept.iter().map(column).collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
    if is_text_added {
        kept.push(Arc::new(texts.clone()));
    }
    Ok(RowBatch { texts, kept })
}

/// Whether a column of this type can be read as strings.
fn is_string(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_string(value),
        _ => false,
    }
}
