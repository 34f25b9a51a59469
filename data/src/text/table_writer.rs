//! [`TableWriter`]: writes the Parquet files of prepared text.

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::error::{Error, Result};
use crate::files::PendingFile;

/// The rows of a row group: as many as a shard of the embedding cache has, so that the texts of a shard are one group.
pub const ROW_GROUP_ROWS: usize = 16_384;
/// The most bytes of a row group, which the writer holds in memory.
pub(super) const ROW_GROUP_BYTES: usize = 64 << 20;

/// Writes record batches to a file, which appears when it is finished.
pub(super) struct TableWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<PendingFile>,
}

impl TableWriter {
    /// A writer of a file with these columns.
    pub(super) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_dictionary_enabled(false)
            .set_column_dictionary_enabled("label".into(), true)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        let file = PendingFile::create(path)?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
        let writer = writer.map_err(Error::write_parquet::<ParquetError>(path))?;
        Ok(Self { path: path.to_owned(), schema, writer })
    }

    pub(super) fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(ParquetError::from);
        batch.and_then(|batch| self.writer.write(&batch)).map_err(Error::write_parquet(&self.path))
    }

    pub(super) fn finish(self) -> Result<()> {
        let file = self.writer.into_inner().map_err(Error::write_parquet::<ParquetError>(&self.path))?;
        Ok(file.commit().map(drop)?)
    }
}
