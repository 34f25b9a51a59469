//! [`CachedScores`]: scores by vectors that a teacher made before.

use std::collections::HashMap;

use limbeck_data::cache::Cache;
use limbeck_data::collection::Document;
use limbeck_data::{Monitor, text};
use limbeck_encoder::normalise;

use super::{DocumentScorer, dot};
use crate::error::{Error, Result};

/// Scores by the dot product of a query's vector with the vectors of a cache: a document is known by its text. Memory
/// holds twelve bytes for each text of the cache.
pub struct CachedScores {
    scores: HashMap<u64, f32>,
    /// How many documents were asked for that the caches lack.
    pub missing: usize,
}

impl CachedScores {
    /// Reads the caches once, with the query's vector at hand.
    ///
    /// # Errors
    /// A cache that cannot be read, or whose vectors have another width.
    pub fn new(caches: &[Cache], query: &[f32], monitor: Monitor<'_>) -> Result<Self> {
        let mut scores = HashMap::new();
        for cache in caches {
            if cache.dimension() != query.len() {
                let what = format!("values in a vector of {} against the query's", cache.path().display());
                return Err(Error::Lengths { what, left: cache.dimension(), right: query.len() });
            }
            for shard in 0..cache.shards() {
                monitor.check()?;
                let shard = cache.read(shard)?;
                for (text, vector) in shard.texts.iter().zip(shard.embeddings.chunks_exact(query.len())) {
                    let mut vector = vector.to_vec();
                    normalise(&mut vector);
                    scores.insert(text::hash(text), dot(&vector, query));
                }
            }
        }
        Ok(Self { scores, missing: 0 })
    }
}

impl DocumentScorer for CachedScores {
    fn score(&mut self, documents: &[Document]) -> Result<Vec<Option<f32>>> {
        let of = |document: &Document| self.scores.get(&text::hash(&document.full())).copied();
        let found: Vec<Option<f32>> = documents.iter().map(of).collect();
        self.missing += found.iter().filter(|score| score.is_none()).count();
        Ok(found)
    }
}
