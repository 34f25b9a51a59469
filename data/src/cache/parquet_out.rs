//! Writes rows as Parquet. The same rows give the same bytes.
//!
//! The embedding column has no dictionary, no compression and no statistics. Its numbers are noise to all three, and
//! page statistics on such a column take ten times its memory (arrow-rs issue 4973). Measured on 16,384 vectors of
//! all-MiniLM-L6-v2 in half precision, read by pyarrow: zstd saves 8 % of the bytes and takes 1.6 times as long to
//! read; with byte stream split it saves 15 %, but that encoding of half precision is young (Parquet 2.11) and few
//! readers support it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float16Array, Float32Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use half::slice::HalfFloatSliceExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::error::{CacheError, CacheResult, RowProblem};
use crate::{Error, Result, VectorType};

/// How many rows share a page, and form one Arrow batch on their way into the file. The writer compares with the limit
/// batch by batch, so in every column a page ends with its batch; very long texts or vectors end a page sooner.
pub(super) const PAGE_ROWS: usize = 256;

/// The longest text that surely fits a Parquet page, in bytes.
const LONGEST_TEXT: usize = 1 << 30;

/// Texts and their vectors, to be written.
#[derive(Clone, Copy)]
pub(super) struct CacheRows<'a> {
    pub first_id: u64,
    pub texts: &'a [String],
    /// `texts.len() × dimension` numbers.
    pub embeddings: &'a [f32],
    pub dimension: usize,
}

/// Writes `rows` as one Parquet file with row groups of `group_rows`. `path` appears in errors only.
pub(super) fn write<W: Write + Send>(
    to: W,
    rows: CacheRows,
    storage: VectorType,
    group_rows: usize,
    path: &Path,
) -> Result<()> {
    check(&rows, storage, path)?;
    let failed = || Error::write_parquet::<ParquetError>(path);
    let schema = schema(rows.dimension, storage);
    let mut writer = ArrowWriter::try_new(to, schema.clone(), Some(properties(group_rows))).map_err(failed())?;
    let mut start = 0;
    while start < rows.texts.len() {
        let end = batch_end(rows.texts, start);
        let batch = batch(&rows, start..end, &schema, storage).map_err(CacheError::arrow(path))?;
        writer.write(&batch).map_err(failed())?;
        start = end;
    }
    writer.close().map_err(failed())?;
    Ok(())
}

/// Where a batch that begins at `start` ends: after [`PAGE_ROWS`], or sooner where the texts are long.
fn batch_end(texts: &[String], start: usize) -> usize {
    let mut bytes = 0;
    let limit = texts.len().min(start + PAGE_ROWS);
    (start..limit)
        .find(|&row| {
            bytes += texts[row].len();
            bytes > LONGEST_TEXT && row > start
        })
        .unwrap_or(limit)
}

fn schema(dimension: usize, storage: VectorType) -> SchemaRef {
    let embedding = DataType::FixedSizeList(element(storage), dimension as i32);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::UInt64, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("embedding", embedding, false),
    ]))
}

fn element(storage: VectorType) -> Arc<Field> {
    let data_type = if storage == VectorType::F16 { DataType::Float16 } else { DataType::Float32 };
    Arc::new(Field::new("element", data_type, false))
}

fn properties(group_rows: usize) -> WriterProperties {
    let zstd = || Compression::ZSTD(ZstdLevel::default());
    WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_compression(ColumnPath::from("id"), zstd())
        .set_column_compression(ColumnPath::from("text"), zstd())
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(group_rows))
        .build()
}

fn batch(
    rows: &CacheRows,
    range: std::ops::Range<usize>,
    schema: &SchemaRef,
    storage: VectorType,
) -> std::result::Result<RecordBatch, ArrowError> {
    let first = rows.first_id;
    let ids = UInt64Array::from_iter_values(range.clone().map(|row| first + row as u64));
    let texts = StringArray::from_iter_values(&rows.texts[range.clone()]);
    let numbers = &rows.embeddings[range.start * rows.dimension..range.end * rows.dimension];
    let numbers: ArrayRef = if storage == VectorType::F16 {
        let mut halves = vec![half::f16::ZERO; numbers.len()];
        halves.convert_from_f32_slice(numbers);
        Arc::new(Float16Array::from(halves))
    } else {
        Arc::new(Float32Array::from(numbers.to_vec()))
    };
    let embeddings = FixedSizeListArray::try_new(element(storage), rows.dimension as i32, numbers, None)?;
    RecordBatch::try_new(schema.clone(), vec![Arc::new(ids), Arc::new(texts), Arc::new(embeddings)])
}

/// Refuses rows that a reader would refuse: vectors that, as stored, are zero or not finite.
fn check(rows: &CacheRows, storage: VectorType, path: &Path) -> CacheResult<()> {
    let unwritable = |problem| CacheError::Unwritable { path: path.to_owned(), problem };
    if rows.dimension == 0 || i32::try_from(rows.dimension).is_err() {
        return Err(unwritable(format!("vectors of {} numbers", rows.dimension)));
    }
    if rows.texts.len() * rows.dimension != rows.embeddings.len() {
        let (texts, numbers, width) = (rows.texts.len(), rows.embeddings.len(), rows.dimension);
        return Err(unwritable(format!("{texts} texts and {numbers} numbers are no rows of {width} numbers")));
    }
    if let Some(row) = rows.texts.iter().position(|text| text.len() > LONGEST_TEXT) {
        let bytes = rows.texts[row].len();
        return Err(unwritable(format!("the text of row {row} has {bytes} bytes, more than {LONGEST_TEXT}")));
    }
    // The least number that is stored as infinity, and the greatest that is stored as zero.
    let (largest, smallest) =
        if storage == VectorType::F16 { (65_520.0, 2.0f32.powi(-25)) } else { (f32::INFINITY, 0.0) };
    for (row, vector) in rows.embeddings.chunks_exact(rows.dimension).enumerate() {
        let largest_here = vector.iter().fold(0.0f32, |largest, number| largest.max(number.abs()));
        let problem = match vector.iter().position(|number| number.is_nan() || number.abs() >= largest) {
            Some(position) => RowProblem::NotFinite { position },
            None if largest_here <= smallest => RowProblem::Zero,
            None => continue,
        };
        return Err(CacheError::Row { path: path.to_owned(), row: row as u64, problem });
    }
    Ok(())
}
