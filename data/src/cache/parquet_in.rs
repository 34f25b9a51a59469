//! Opens Parquet files and reads rows of their text and vector column.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::ChunkReader;

use super::columns::{ColumnIndices, Decoder};
use super::error::CacheError;
use super::format::SHARD_ROWS;
use super::shard::Shard;
use crate::codec::check_codecs;
use crate::parquet_file::{caught, next_batch};
use crate::{Error, Result};

/// How many rows are decoded at a time.
const BATCH_ROWS: usize = 1024;

/// The most numbers that memory is reserved for in advance, because a damaged file may announce any number.
const MOST_RESERVED: usize = 1 << 24;

/// Opens a file and reads its footer, with the index of its pages where there is one: rows in the middle can then be
/// read without the rows before them.
pub(super) fn open(path: &Path) -> Result<(File, ArrowReaderMetadata)> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = footer(&file, path)?;
    Ok((file, metadata))
}

pub(super) fn footer(input: &impl ChunkReader, path: &Path) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
    caught(path, || ArrowReaderMetadata::load(input, options))
}

/// A reader of the text and the vector column; `select` chooses the rows, which are all rows otherwise.
pub(super) fn reader<R: ChunkReader + 'static>(
    input: R,
    metadata: ArrowReaderMetadata,
    columns: ColumnIndices,
    path: &Path,
    select: impl FnOnce(ParquetRecordBatchReaderBuilder<R>) -> ParquetRecordBatchReaderBuilder<R>,
) -> Result<ParquetRecordBatchReader> {
    let roots = [columns.text, columns.vector];
    check_codecs(metadata.metadata(), &roots, path)?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata);
    let builder = select(builder.with_projection(mask).with_batch_size(BATCH_ROWS));
    caught(path, || builder.build())
}

/// Reads `rows` rows, or as many as there are, into a shard whose first id is `first_id`. A batch must not reach past
/// `rows`.
pub(super) fn read_shard(
    reader: &mut ParquetRecordBatchReader,
    mut decoder: Decoder,
    rows: usize,
    first_id: u64,
) -> Result<Shard> {
    let texts = Vec::with_capacity(rows.min(SHARD_ROWS));
    let embeddings = Vec::with_capacity(rows.saturating_mul(decoder.dimension).min(MOST_RESERVED));
    let mut shard = Shard { first_id, texts, embeddings };
    while shard.rows() < rows {
        let Some(batch) = next_batch(reader) else { break };
        decoder.append(&batch.map_err(CacheError::arrow(decoder.path))?, &mut shard)?;
    }
    Ok(shard)
}
