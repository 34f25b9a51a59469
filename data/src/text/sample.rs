//! A uniform sample of a stream in memory that depends on the sample's size alone.

use std::collections::BinaryHeap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The key by which a text is drawn: the texts with the smallest keys are the sample.
pub(super) fn key(hash: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&hash.to_le_bytes(), seed)
}

/// Keeps the `limit` smallest keys of distinct texts (bottom-k sampling, Cohen and Kaplan 2007).
///
/// A first pass pushes every key; what the second pass takes are the texts whose key is at most the threshold. Which they
/// are depends on the texts and the seed, not on their order.
pub(super) struct Sample {
    limit: usize,
    smallest: BinaryHeap<u64>,
}

impl Sample {
    pub fn new(limit: usize) -> Self {
        Self { limit, smallest: BinaryHeap::new() }
    }

    pub fn push(&mut self, key: u64) {
        if self.smallest.len() < self.limit {
            self.smallest.push(key);
        } else if self.smallest.peek().is_some_and(|largest| key < *largest) {
            self.smallest.pop();
            self.smallest.push(key);
        }
    }

    /// The largest key that belongs to the sample: all, while there are fewer than `limit`.
    pub fn threshold(&self) -> Option<u64> {
        if self.smallest.len() < self.limit { Some(u64::MAX) } else { self.smallest.peek().copied() }
    }

    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.smallest.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_keys_stay_whatever_the_order() {
        let keys: Vec<u64> = (0..1000).map(|n| key(n, 7)).collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        let mut forwards = Sample::new(100);
        let mut backwards = Sample::new(100);
        keys.iter().for_each(|key| forwards.push(*key));
        keys.iter().rev().for_each(|key| backwards.push(*key));
        assert_eq!(forwards.threshold(), Some(sorted[99]));
        assert_eq!(backwards.threshold(), Some(sorted[99]));
    }

    #[test]
    fn fewer_than_the_limit_are_all_taken_and_of_none_none() {
        let mut sample = Sample::new(3);
        sample.push(u64::MAX);
        assert_eq!(sample.threshold(), Some(u64::MAX));
        let mut none = Sample::new(0);
        none.push(0);
        assert_eq!(none.threshold(), None);
    }

    #[test]
    fn another_seed_draws_others() {
        let drawn = |seed| (0..1000u64).filter(|n| key(*n, seed) < u64::MAX / 2).count();
        assert!((400..600).contains(&drawn(1)) && drawn(1) != drawn(2));
    }
}
