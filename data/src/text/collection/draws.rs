//! [`Draws`]: random numbers of a document, which depend on no other document.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Random numbers made of a document's hash, a seed, and the count of the numbers drawn before.
pub(super) struct Draws {
    group: u64,
    seed: u64,
    drawn: u64,
}

impl Draws {
    /// The numbers of the document whose hash is `group`.
    pub(super) fn new(group: u64, seed: u64) -> Self {
        Self { group, seed, drawn: 0 }
    }

    fn next(&mut self) -> u64 {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.group.to_le_bytes());
        bytes[8..].copy_from_slice(&self.drawn.to_le_bytes());
        self.drawn += 1;
        xxh3_64_with_seed(&bytes, self.seed)
    }

    /// A number below `end`, which is above 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A whole number whose mean is `mean`: one of the two beside it.
    pub(super) fn rounded(&mut self, mean: f64) -> usize {
        let share = self.next() as f64 / 2f64.powi(64);
        (mean + share).floor() as usize
    }
}
