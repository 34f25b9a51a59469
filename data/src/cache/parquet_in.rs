//! Opening Parquet files and reading rows of two of their columns.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::ChunkReader;

use super::columns::{Decoder, Found};
use super::error::CacheError;
use crate::caught::{caught, next_batch};
use crate::{Error, Result};

/// How many rows are decoded at a time.
pub(super) const BATCH_ROWS: usize = 1024;

/// Opens a file and reads its footer, with the index of its pages where there is one: so rows in the middle can be read without those
/// before them.
pub(super) fn open(path: &Path) -> Result<(File, ArrowReaderMetadata)> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = footer(&file, path)?;
    Ok((file, metadata))
}

pub(super) fn footer(input: &impl ChunkReader, path: &Path) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
    Ok(caught(|| ArrowReaderMetadata::load(input, options)).map_err(CacheError::parquet("read", path))?)
}

/// Memory for `values` values, at most 256 MiB: the numbers may come from a damaged file, and a vector grows by itself.
pub(super) fn reserve<T>(values: usize) -> Vec<T> {
    Vec::with_capacity(values.min((1 << 28) / size_of::<T>()))
}

/// What to read of a file.
pub(super) struct Part {
    pub row_groups: Vec<usize>,
    /// Rows of these groups to skip.
    pub skip: usize,
    /// Rows to read after them; none: to the end.
    pub rows: Option<usize>,
    /// How many rows become one batch.
    pub batch_rows: usize,
}

/// A reader of the two columns `found`.
pub(super) fn reader<R: ChunkReader + 'static>(
    input: R,
    metadata: ArrowReaderMetadata,
    found: Found,
    part: Part,
    path: &Path,
) -> Result<ParquetRecordBatchReader> {
    let columns = ProjectionMask::roots(metadata.parquet_schema(), [found.text, found.vector]);
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
        .with_projection(columns)
        .with_row_groups(part.row_groups)
        .with_offset(part.skip)
        .with_batch_size(part.batch_rows);
    if let Some(rows) = part.rows {
        builder = builder.with_limit(rows);
    }
    Ok(caught(|| builder.build()).map_err(CacheError::parquet("read", path))?)
}

/// Reads until `rows` rows are there, or the end. Batches must not reach past `rows`.
pub(super) fn take(
    reader: &mut ParquetRecordBatchReader,
    decoder: &mut Decoder,
    rows: usize,
    texts: &mut Vec<String>,
    numbers: &mut Vec<f32>,
) -> Result<()> {
    while texts.len() < rows {
        let Some(batch) = next_batch(reader) else { break };
        decoder.append(&batch.map_err(CacheError::arrow(decoder.path))?, texts, numbers)?;
    }
    Ok(())
}
