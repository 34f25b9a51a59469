//! [`CachedScores`]: scores by vectors that a teacher made before.

use std::collections::HashMap;

use limbeck_data::cache::Cache;
use limbeck_data::{Monitor, text};
use limbeck_encoder::normalise;

use super::{DocumentScorer, dot};
use crate::error::Result;
use crate::measure::retrieval::documents::each_cached_shard;

/// Scores by the dot product of a query's vector with the vectors of a cache: a document is known by its text. Memory
/// holds twelve bytes for each text of the cache.
pub struct CachedScores {
    scores: HashMap<u64, f32>,
}

impl CachedScores {
    /// Reads the caches once, with the query's vector at hand.
    ///
    /// # Errors
    /// A cache that cannot be read, or whose vectors have another width.
    pub fn new(caches: &[Cache], query: &[f32], monitor: Monitor<'_>) -> Result<Self> {
        let mut scores = HashMap::new();
        each_cached_shard(caches, query.len(), monitor, |texts| {
            for (text, vector) in texts {
                let mut vector = vector.to_vec();
                normalise(&mut vector);
                scores.insert(text::hash(text), dot(&vector, query));
            }
        })?;
        Ok(Self { scores })
    }
}

impl DocumentScorer for CachedScores {
    fn score(&self, documents: &[String]) -> Result<Vec<Option<f32>>> {
        Ok(documents.iter().map(|document| self.scores.get(&text::hash(document)).copied()).collect())
    }
}
