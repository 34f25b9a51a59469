//! `tokens.parquet`: the teacher's vector of every token of a vocabulary, and of the empty text.

use std::path::Path;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::parquet_in;
use crate::Result;

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

/// Reads a file of token vectors that a [`CacheWriter`](super::CacheWriter) wrote.
///
/// # Errors
/// The file is missing or truncated, lacks the two columns, or has no rows; a vector is zero or not finite.
pub fn read_token_vectors(path: &Path) -> Result<TokenVectors> {
    let (file, metadata) = parquet_in::open(path)?;
    let columns = Columns::default().find(metadata.schema(), path)?;
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as usize;
    let Some(dimension) = columns.width.filter(|&width| width > 0 && rows > 0) else {
        return Err(CacheError::Empty { path: path.to_owned() }.into());
    };
    let mut reader = parquet_in::reader(file, metadata, columns, path, |builder| builder)?;
    let shard = parquet_in::read_shard(&mut reader, Decoder { path, columns, dimension, row: 0 }, rows, 0)?;
    Ok(TokenVectors { dimension, texts: shard.texts, embeddings: shard.embeddings })
}
