//! `tokens.parquet`: the teacher's vector of every token of its vocabulary, and of the empty text.

use std::io::Write;
use std::path::Path;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::index::Precision;
use super::parquet_in::{self, BATCH_ROWS, Part};
use super::parquet_out::{self, Rows};
use crate::Result;
use crate::files;

/// The name of the file with the token vectors, beside the shards.
pub const TOKENS_FILE: &str = "tokens.parquet";
/// The name of the tokenizer's file, beside the shards.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The name of the file with the vectors of the tokens of a student's tokenizer, beside the shards: one cache serves students
/// of several vocabularies.
pub fn student_tokens_file(tokenizer: &[u8]) -> String {
    let hash = files::sha256_bytes(tokenizer);
    format!("tokens-{}.parquet", &hash[..16.min(hash.len())])
}

/// Whether [`student_tokens_file`] could have made the name.
pub(super) fn is_student_tokens_name(name: &str) -> bool {
    let hash = name.strip_prefix("tokens-").and_then(|rest| rest.strip_suffix(".parquet"));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a file of this name, in a cache's folder, holds vectors of tokens and no texts.
pub fn is_tokens_name(name: &str) -> bool {
    name == TOKENS_FILE || is_student_tokens_name(name)
}

/// Each token of a vocabulary through the teacher alone. Row `i` is the token with id `i`; the last row, whose id is the
/// size of the vocabulary, is the empty text.
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
    let rows = Rows { first_id: 0, texts, embeddings, dimension };
    parquet_out::write(to, rows, Precision::F32, super::SHARD_ROWS, path)
}

/// Reads what [`write_token_vectors`] wrote.
///
/// # Errors
/// No such file, a truncated one, one without the two columns or rows, a vector that isn't finite or is zero.
pub fn read_token_vectors(path: &Path) -> Result<TokenVectors> {
    let (file, metadata) = parquet_in::open(path)?;
    let found = Columns::default().find(metadata.schema(), path)?;
    let Some(dimension) = found.width.filter(|&width| width > 0) else {
        return Err(CacheError::Empty { path: path.to_owned() }.into());
    };
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as usize;
    if rows == 0 {
        return Err(CacheError::Empty { path: path.to_owned() }.into());
    }
    let row_groups = (0..metadata.metadata().num_row_groups()).collect();
    let part = Part { row_groups, skip: 0, rows: None, batch_rows: BATCH_ROWS };
    let mut reader = parquet_in::reader(file, metadata, found, part, path)?;
    let mut decoder = Decoder { path, found, dimension, row: 0 };
    let (mut texts, mut embeddings) = (Vec::new(), Vec::new());
    parquet_in::take(&mut reader, &mut decoder, rows, &mut texts, &mut embeddings)?;
    Ok(TokenVectors { dimension, texts, embeddings })
}
