//! [`PieceWriter`]: writes kept columns and vectors as Parquet.

use std::path::{Path, PathBuf};

use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use limbeck_data::VectorType;
use limbeck_data::files::PendingFile;
use limbeck_encoder::Embeddings;

use super::origin::Origin;
use crate::error::{Error, Result};
use crate::vector_parquet::{EMBEDDING, VectorParquet, io_error};

/// Writes a piece, row by row in the order of its texts.
pub(super) struct PieceWriter {
    writer: VectorParquet,
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
        let names: Vec<&str> = kept.iter().map(|field| field.name().as_str()).chain([EMBEDDING]).collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                let path = path.display();
                let what =
                    format!("{path}: two of its columns would be called `{name}`; name the columns to keep by --keep");
                return Err(Error::Usage(what));
            }
        }
        let writer = VectorParquet::new(file, kept, (dimension, kind), Some(origin.metadata()));
        let writer = writer.map_err(io_error).map_err(limbeck_data::Error::io("write", path))?;
        Ok(Self { writer, path: path.to_owned() })
    }

    /// Writes rows.
    pub(super) fn write(&mut self, kept: &[ArrayRef], vectors: &Embeddings) -> Result<()> {
        let written = self.writer.write(kept, vectors).map_err(io_error);
        Ok(written.map_err(limbeck_data::Error::io("write", &self.path))?)
    }

    /// Moves the file to its place.
    pub(super) fn finish(self) -> Result<()> {
        let file = self.writer.finish().map_err(io_error).map_err(limbeck_data::Error::io("write", &self.path))?;
        file.commit().map_err(limbeck_data::Error::from)?;
        Ok(())
    }
}
