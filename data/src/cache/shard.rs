//! Rows of a cache that are read together.

use std::ops::Range;

/// Consecutive rows of a cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    /// The id of the first row; the others follow.
    pub first_id: u64,
    /// The texts.
    pub texts: Vec<String>,
    /// `texts.len() × dimension` numbers, as stored: unit vectors in a cache of limbeck, any vectors in other Parquet
    /// files.
    pub embeddings: Vec<f32>,
}

impl Shard {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.texts.len()
    }
}

/// Rows of one shard that can be read without the rest of the shard, see [`Cache::slices`](super::Cache::slices).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The shard's number.
    pub shard: usize,
    /// The rows within the shard.
    pub rows: Range<usize>,
}
