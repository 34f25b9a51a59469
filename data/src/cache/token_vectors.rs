//! `tokens.parquet`: the teacher's vector of every token of a vocabulary, and of the empty text.

use std::io::Write;
use std::path::Path;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::format::SHARD_ROWS;
use super::parquet_in::{self, BATCH_ROWS, RowSelection};
use super::parquet_out::{self, CacheRows};
use crate::{Result, VectorType, files};

/// The teacher's vector of each token of a vocabulary, encoded alone. Row `i` is the token with id `i`. The last row,
/// whose id is the size of the vocabulary, is the empty text.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenVectors {
    /// The width of the vectors.
    pub dimension: usize,
    /// The tokens; the last is empty.
    pub texts: Vec<String>,
    /// `texts.len() × dimension` numbers.
    pub embeddings: Vec<f32>,
}

/// Writes token vectors as Parquet: `id`, `text`, `embedding` in f32.
pub fn write_token_vectors(path: &Path, vectors: &TokenVectors) -> Result<()> {
    files::write_atomically(path, |file| write(file, &vectors.texts, &vectors.embeddings, vectors.dimension, path))
}

pub(super) fn write(
    to: impl Write + Send,
    texts: &[String],
    embeddings: &[f32],
    dimension: usize,
    path: &Path,
) -> Result<()> {
    let rows = CacheRows { first_id: 0, texts, embeddings, dimension };
    parquet_out::write(to, rows, VectorType::F32, SHARD_ROWS, path)
}

/// Reads the file that [`write_token_vectors`] wrote.
///
/// # Errors
/// The file is missing or truncated, lacks the two columns, or has no rows; a vector is zero or not finite.
pub fn read_token_vectors(path: &Path) -> Result<TokenVectors> {
    let (file, metadata) = parquet_in::open(path)?;
    let columns = Columns::default().find(metadata.schema(), path)?;
    let Some(dimension) = columns.width.filter(|&width| width > 0) else {
        return Err(CacheError::Empty { path: path.to_owned() }.into());
    };
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as usize;
    if rows == 0 {
        return Err(CacheError::Empty { path: path.to_owned() }.into());
    }
    let row_groups = parquet_in::all_row_groups(&metadata);
    let selection = RowSelection { row_groups, skip: 0, rows: None, batch_rows: BATCH_ROWS };
    let mut reader = parquet_in::reader(file, metadata, columns, selection, path)?;
    let shard = parquet_in::read_shard(&mut reader, Decoder { path, columns, dimension, row: 0 }, rows, 0)?;
    Ok(TokenVectors { dimension, texts: shard.texts, embeddings: shard.embeddings })
}
