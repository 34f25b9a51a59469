//! Draws a uniform sample of a stream, with memory for the sample only.

use std::collections::BinaryHeap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keeps the `limit` texts with the smallest keys (bottom-k sampling, Cohen and Kaplan 2007). A text's key is its hash,
/// hashed again with a seed.
///
/// A first pass pushes the hash of every text once. A second pass takes the texts whose key is at most the largest key
/// kept. The sample depends on the texts and the seed, not on their order.
pub(super) struct Sample {
    limit: usize,
    seed: u64,
    /// Keys and the hashes they were made from, the largest key on top.
    smallest: BinaryHeap<(u64, u64)>,
}

impl Sample {
    /// `limit` is at least 1.
    pub(super) fn new(limit: usize, seed: u64) -> Self {
        Self { limit, seed, smallest: BinaryHeap::new() }
    }

    pub(super) fn push(&mut self, hash: u64) {
        let entry = (self.key(hash), hash);
        if self.smallest.len() < self.limit {
            self.smallest.push(entry);
        } else if self.smallest.peek().is_some_and(|largest| entry < *largest) {
            self.smallest.pop();
            self.smallest.push(entry);
        }
    }

    /// Whether a text that was pushed belongs to the sample.
    pub(super) fn contains(&self, hash: u64) -> bool {
        let largest = self.smallest.peek().filter(|_| self.smallest.len() == self.limit);
        largest.is_none_or(|largest| (self.key(hash), hash) <= *largest)
    }

    /// The hashes of the sample's texts.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.smallest.iter().map(|(_, hash)| *hash)
    }

    fn key(&self, hash: u64) -> u64 {
        xxh3_64_with_seed(&hash.to_le_bytes(), self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(limit: usize, seed: u64, hashes: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut sample = Sample::new(limit, seed);
        hashes.for_each(|hash| sample.push(hash));
        let drawn: Vec<u64> = (0..1000).filter(|hash| sample.contains(*hash)).collect();
        let mut kept: Vec<u64> = sample.hashes().collect();
        kept.sort_unstable();
        assert_eq!(kept, drawn);
        drawn
    }

    #[test]
    fn the_sample_does_not_depend_on_the_order() {
        let forwards = drawn(100, 7, 0..1000);
        assert_eq!(forwards.len(), 100);
        assert_eq!(drawn(100, 7, (0..1000).rev()), forwards);
        assert_ne!(drawn(100, 8, 0..1000), forwards);
        assert!((30..70).contains(&forwards.iter().filter(|hash| **hash < 500).count()));
    }

    #[test]
    fn fewer_than_the_limit_are_all_taken() {
        assert_eq!(drawn(2000, 0, 0..1000).len(), 1000);
        assert_eq!(drawn(1000, 0, 0..1000).len(), 1000);
    }
}
