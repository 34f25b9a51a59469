//! Rows of named columns of a Parquet file, nested columns too.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::{Place, TextError};
use crate::codec::check_codecs;
use crate::error::Result;
use crate::parquet_file::batches;

/// The number of a line or row, from 1, and its fields.
pub(crate) type NumberedRow = (u64, Vec<String>);

/// The rows of a table.
pub(crate) type TableRows = Box<dyn Iterator<Item = Result<NumberedRow>> + Send>;

/// The most rows that are decoded at a time.
const MAX_ROWS: usize = 1024;
/// About how many bytes are decoded at a time, where rows are long.
const BATCH_BYTES: usize = 32 << 20;

/// Which columns are read.
pub(super) struct ColumnsWanted<'a> {
    /// The names.
    pub(super) columns: &'a [String],
    /// The first so many columns must be strings; numbers in the others are written out.
    pub(super) sentences: usize,
    /// The most bytes of a row.
    pub(super) limit: usize,
}

/// A column, or a field of nested columns.
pub(super) struct Leaf {
    /// The place among the file's top-level columns.
    pub(super) root: usize,
    /// The place among the file's columns of plain values.
    pub(super) index: usize,
    /// The names from the top-level column down.
    pub(super) path: Vec<String>,
}

/// Whether the file has a column of this name, or nested columns whose names, with dots between, make up this name.
pub(super) fn has_column(builder: &ParquetRecordBatchReaderBuilder<File>, name: &str) -> bool {
    builder.schema().fields().iter().any(|field| field.name() == name) || leaf_of(builder, name).is_some()
}

/// The plain column of this name; a top-level column goes first.
pub(super) fn leaf_of(builder: &ParquetRecordBatchReaderBuilder<File>, name: &str) -> Option<Leaf> {
    let schema = builder.parquet_schema();
    let leaves = schema.columns().iter().enumerate().filter(|(_, column)| column.max_rep_level() == 0);
    let named = leaves.filter(|(_, column)| column.path().string() == name);
    let (index, column) = named.min_by_key(|(_, column)| column.path().parts().len())?;
    Some(Leaf { root: schema.get_column_root_idx(index), index, path: column.path().parts().to_vec() })
}

/// The type of the field that `path` leads to.
pub(super) fn type_of(builder: &ParquetRecordBatchReaderBuilder<File>, path: &[String]) -> Option<DataType> {
    let (first, rest) = path.split_first()?;
    let mut field = builder.schema().field_with_name(first).ok()?;
    for name in rest {
        let DataType::Struct(fields) = field.data_type() else { return None };
        field = fields.iter().find(|field| field.name() == name)?;
    }
    Some(field.data_type().clone())
}

/// The rows of a file that has all these columns. After a row that is too long, reading goes on with the next.
pub(super) fn parquet_rows(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    wanted: ColumnsWanted,
) -> Result<TableRows> {
    let mut leaves = Vec::with_capacity(wanted.columns.len());
    for (place, column) in wanted.columns.iter().enumerate() {
        let root = builder.schema().field_with_name(column).ok().map(|field| field.data_type().clone());
        let leaf = leaf_of(&builder, column);
        let data_type = root.or_else(|| type_of(&builder, &leaf.as_ref()?.path)).unwrap_or(DataType::Null);
        let (fits, expected) = match place < wanted.sentences {
            true => (data_type == DataType::Utf8, "strings"),
            false => {
                let fits = data_type.is_numeric() || matches!(data_type, DataType::Utf8 | DataType::Boolean);
                (fits, "strings or numbers")
            }
        };
        match leaf.filter(|_| fits) {
            Some(leaf) => leaves.push(leaf),
            None => {
                let (path, column, found) = (path.to_owned(), column.clone(), data_type.to_string());
                return Err(TextError::ColumnType { path, column, found, wanted: expected }.into());
            }
        }
    }
    let roots: Vec<usize> = leaves.iter().map(|leaf| leaf.root).collect();
    check_codecs(builder.metadata(), &roots, path)?;
    let indexes: Vec<usize> = leaves.iter().map(|leaf| leaf.index).collect();
    let rows = rows_at_a_time(&builder, &indexes);
    let mask = ProjectionMask::leaves(builder.parquet_schema(), indexes);
    let builder = builder.with_projection(mask).with_batch_size(rows);
    let paths: Vec<Vec<String>> = leaves.into_iter().map(|leaf| leaf.path).collect();
    let batches = batches(builder, path, move |batch| strings_of(batch, &paths))?;
    let rows = batches.flat_map(|batch| -> Box<dyn Iterator<Item = Result<Vec<String>>> + Send> {
        match batch {
            Ok(columns) => Box::new(rows_of(columns).map(Ok)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    let (path, limit) = (path.to_owned(), wanted.limit);
    Ok(Box::new(rows.zip(1..).map(move |(row, number)| {
        let row = row?;
        let bytes: usize = row.iter().map(String::len).sum();
        if bytes > limit {
            let (path, place, bytes) = (path.clone(), Place { unit: "row", number }, bytes as u64);
            return Err(TextError::TooLong { path, place, bytes, limit }.into());
        }
        Ok((number, row))
    })))
}

/// How many rows of the plain columns at `leaves` are decoded at a time: fewer where a row group has long ones.
pub(super) fn rows_at_a_time(builder: &ParquetRecordBatchReaderBuilder<File>, leaves: &[usize]) -> usize {
    let row_bytes = |group: &RowGroupMetaData| {
        let columns = leaves.iter().filter_map(|&leaf| group.columns().get(leaf));
        // Where long values are alike, their dictionary is much smaller than they are.
        let plain = |column: &ColumnChunkMetaData| column.unencoded_byte_array_data_bytes().unwrap_or(0);
        let bytes: i64 = columns.map(|column| column.uncompressed_size().max(plain(column)).max(0)).sum();
        bytes as usize / group.num_rows().max(1) as usize
    };
    let longest = builder.metadata().row_groups().iter().map(row_bytes).max().unwrap_or(0);
    (BATCH_BYTES / longest.max(1)).clamp(1, MAX_ROWS)
}

/// The columns at these paths, as strings.
fn strings_of(batch: &RecordBatch, paths: &[Vec<String>]) -> std::result::Result<Vec<StringArray>, ArrowError> {
    paths.iter().map(|path| string_column(batch, path)).collect()
}

/// The column at `path`, as strings.
pub(super) fn string_column(batch: &RecordBatch, path: &[String]) -> std::result::Result<StringArray, ArrowError> {
    let mut column: Option<&ArrayRef> = batch.column_by_name(&path[0]);
    for name in &path[1..] {
        column = column.and_then(|column| column.as_struct_opt()?.column_by_name(name));
    }
    let missing = || ArrowError::SchemaError(format!("the column {} is missing", path.join(".")));
    Ok(cast(column.ok_or_else(missing)?, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The fields of each row; null is an empty string.
fn rows_of(columns: Vec<StringArray>) -> impl Iterator<Item = Vec<String>> + Send {
    let count = columns.first().map_or(0, Array::len);
    let field = |column: &StringArray, row| if column.is_null(row) { "" } else { column.value(row) }.to_owned();
    (0..count).map(move |row| columns.iter().map(|column| field(column, row)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::arrow::ArrowWriter;

    use super::*;

    /// How many rows are decoded at a time of a file with these texts.
    fn rows_of_texts(texts: Vec<String>) -> usize {
        let column: ArrayRef = Arc::new(StringArray::from(texts));
        let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        rows_at_a_time(&builder, &[leaf_of(&builder, "text").unwrap().index])
    }

    #[test]
    fn fewer_rows_are_decoded_at_a_time_where_they_are_long() {
        assert_eq!(rows_of_texts(vec!["short".to_owned(); 5000]), MAX_ROWS);
        assert_eq!(rows_of_texts((0..4).map(|n| format!("{n}{}", "x".repeat(10 << 20))).collect()), 3);
        assert_eq!(rows_of_texts(vec!["x".repeat(1 << 20); 64]), 31);
    }
}
