//! [`PieceWriter`]: writes kept columns and vectors as Parquet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use limbeck_data::VectorType;
use limbeck_data::files::PendingFile;
use limbeck_encoder::Embeddings;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::origin::Origin;
use crate::error::{Error, Result};
use crate::output::{EMBEDDING, embedding_column, embedding_values, io_error};

/// Rows of a row group.
const GROUP_ROWS: usize = 16_384;

/// Writes a piece, row by row in the order of its texts.
pub(super) struct PieceWriter {
    writer: ArrowWriter<PendingFile>,
    schema: SchemaRef,
    kind: VectorType,
    path: PathBuf,
}

impl PieceWriter {
    /// Writes `kept` columns and vectors of `dimension` numbers to `file`, which will lie at `path`.
    pub(super) fn new(
        file: PendingFile,
        path: &Path,
        kept: &[FieldRef],
        (dimension, kind): (usize, VectorType),
        origin: &Origin,
    ) -> Result<Self> {
        let failed = || limbeck_data::Error::io("write", path);
        let none = embedding_column(&Embeddings::new(Vec::new(), dimension), kind).map_err(io_error);
        let embedding = Field::new(EMBEDDING, none.map_err(failed())?.data_type().clone(), false);
        let mut fields = kept.to_vec();
        fields.push(Arc::new(embedding));
        for (at, field) in fields.iter().enumerate() {
            if fields[..at].iter().any(|other| other.name() == field.name()) {
                let what = format!(
                    "{}: two of its columns would be called `{}`; name the columns to keep by --keep",
                    path.display(),
                    field.name()
                );
                return Err(Error::Usage(what));
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties(origin, kind)));
        let writer = writer.map_err(io_error).map_err(failed())?;
        Ok(Self { writer, schema, kind, path: path.to_owned() })
    }

    /// Writes rows.
    pub(super) fn write(&mut self, kept: Vec<ArrayRef>, vectors: &Embeddings) -> Result<()> {
        let schema = self.schema.clone();
        let written = embedding_column(vectors, self.kind).and_then(|embedding| {
            let columns = kept.into_iter().chain([Arc::new(embedding) as ArrayRef]).collect();
            self.writer.write(&RecordBatch::try_new(schema, columns)?)
        });
        Ok(written.map_err(io_error).map_err(limbeck_data::Error::io("write", &self.path))?)
    }

    /// Moves the file to its place.
    pub(super) fn finish(self) -> Result<()> {
        let file = self.writer.into_inner().map_err(io_error).map_err(limbeck_data::Error::io("write", &self.path))?;
        file.commit().map_err(limbeck_data::Error::from)?;
        Ok(())
    }
}

/// Vectors are noise to dictionaries, compression and statistics, which would cost more than the encoding. Parquet
/// stores bytes as numbers of 32 bits; packed as differences each takes about 9.
fn properties(origin: &Origin, kind: VectorType) -> WriterProperties {
    let encoding = match kind {
        VectorType::F32 | VectorType::F16 => Encoding::PLAIN,
        VectorType::Int8 | VectorType::Binary => Encoding::DELTA_BINARY_PACKED,
    };
    WriterProperties::builder()
        .set_column_encoding(embedding_values(), encoding)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_column_compression(embedding_values(), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(embedding_values(), false)
        .set_column_statistics_enabled(embedding_values(), EnabledStatistics::None)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(vec![origin.metadata()]))
        .build()
}
