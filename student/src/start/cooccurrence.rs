//! The start from word vectors: co-occurrence counts of the text, without a teacher.

use std::ops::AddAssign;

use limbeck_encoder::TokenBatch;
use limbeck_training::random::Random;
use rayon::prelude::*;

use super::{Grouped, Start, token_weights};
use crate::directions::{column_products, orthonormal, principal_directions, project, scatter};
use crate::error::Result;

/// The longest distance of two tokens that count as counts.
const WINDOW: usize = 5;
/// A pair's weight by distance, in units of 1/60: sums of integers don't depend on their order.
const WEIGHTS: [u32; WINDOW] = [60, 30, 20, 15, 12];
/// Pairs are merged whenever at least so many are pending.
const MERGE_AT: usize = 1 << 22;
/// The power of a context's frequency (Levy, Goldberg and Dagan 2015).
const SMOOTHING: f64 = 0.75;
/// Rounds of subspace iteration.
const ROUNDS: usize = 6;
/// Additional directions that subspace iteration computes, for the accuracy of the others.
const OVERSAMPLING: usize = 16;
/// The random stream of the first subspace and of tokens without a neighbour.
const STREAM: u64 = 51;

/// Counts of how often tokens stand near one another.
#[derive(Default)]
pub struct Cooccurrence {
    /// Pairs `(smaller id << 32 | larger id)` in order, with their summed weights.
    pairs: Vec<(u64, u64)>,
    /// Pairs that aren't merged yet.
    pending: Vec<(u64, u32)>,
    frequencies: Vec<u64>,
}

impl Cooccurrence {
    /// Counts of no text yet, over `vocabulary` tokens.
    pub fn new(vocabulary: usize) -> Self {
        Self { frequencies: vec![0; vocabulary], ..Self::default() }
    }

    /// Adds the counts of these texts.
    pub fn count(&mut self, texts: &TokenBatch) {
        for text in texts.iter() {
            for (at, &token) in text.iter().enumerate() {
                self.frequencies[token as usize] += 1;
                for (&other, &weight) in text[at + 1..].iter().zip(&WEIGHTS) {
                    let (low, high) = (token.min(other), token.max(other));
                    self.pending.push((u64::from(low) << 32 | u64::from(high), weight));
                }
            }
            // In proportion to the merged pairs, so that all merges together take time linear in the text.
            if self.pending.len() >= MERGE_AT.max(self.pairs.len() / 2) {
                self.merge();
            }
        }
    }

    /// Merges the pending pairs into the sorted ones.
    fn merge(&mut self) {
        self.pending.par_sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(self.pairs.len() + self.pending.len() / 2);
        let mut put = |pair: u64, weight: u64| match merged.last_mut() {
            Some((last, sum)) if *last == pair => sum.add_assign(weight),
            _ => merged.push((pair, weight)),
        };
        let mut old = self.pairs.drain(..).peekable();
        for (pair, weight) in self.pending.drain(..) {
            while let Some((before, sum)) = old.next_if(|(before, _)| *before <= pair) {
                put(before, sum);
            }
            put(pair, u64::from(weight));
        }
        old.for_each(|(pair, sum)| put(pair, sum));
        self.pairs = merged;
    }

    /// The start from word vectors: positive pointwise mutual information of neighbours, reduced to the `width`
    /// eigenvectors of the largest eigenvalues, each scaled by the eigenvalue's square root (Levy, Goldberg and Dagan
    /// 2015). Rows have length 1 and are weighted by smooth inverse frequency, as in [`super::from_token_vectors`]. The
    /// skip copies the mean embedding into the first dimensions of the vector: there is no teacher's space to map to.
    ///
    /// # Errors
    /// None in practice: the number of directions never exceeds the number of tokens.
    pub fn start(mut self, width: usize, dimension: usize, seed: u64) -> Result<Start> {
        self.merge();
        let vocabulary = self.frequencies.len();
        let mut table = self.association().directions(width, seed)?;
        let weights = token_weights(&self.frequencies, vocabulary);
        for ((id, row), weight) in table.chunks_exact_mut(width).enumerate().zip(weights) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            if length == 0.0 && id > 0 {
                let mut random = Random::new(seed, &[STREAM, 1, id as u64]);
                row.iter_mut().for_each(|x| *x = random.normal() as f32 / (width as f32).sqrt());
            }
            let scale = if length > 0.0 { 1.0 / length } else { 1.0 };
            row.iter_mut().for_each(|x| *x *= scale * weight);
        }
        let mut skip = vec![0f32; dimension * width];
        (0..width.min(dimension)).for_each(|at| skip[at * width + at] = 1.0);
        let mut empty_target = vec![0f32; dimension];
        let last = &table[(vocabulary - 1) * width..];
        empty_target[..width.min(dimension)].copy_from_slice(&last[..width.min(dimension)]);
        Ok(Start { table, width, skip, dimension, empty_target })
    }

    /// Positive pointwise mutual information as a symmetric sparse matrix.
    fn association(&self) -> Association {
        let vocabulary = self.frequencies.len();
        let tokens = |pair: u64| [(pair >> 32) as usize, (pair & u64::from(u32::MAX)) as usize];
        let mut sums = vec![0f64; vocabulary];
        for &(pair, weight) in &self.pairs {
            tokens(pair).into_iter().for_each(|token| sums[token] += weight as f64);
        }
        let total: f64 = sums.iter().sum();
        let smooth: f64 = sums.iter().map(|sum| sum.powf(SMOOTHING)).sum();
        // Smoothing isn't symmetric, so each of the two is the context once, and the mean of both counts.
        let expected = |one: usize, context: usize| (sums[one] / total) * (sums[context].powf(SMOOTHING) / smooth);
        let entries = self.pairs.iter().filter_map(|&(pair, weight)| {
            let [low, high] = tokens(pair);
            // A pair of different tokens counts half in each order; a token beside itself has one order only.
            let seen = if low == high { 2.0 * weight as f64 } else { weight as f64 } / total;
            let information = |one, context| (seen / expected(one, context)).ln().max(0.0);
            let mean = 0.5 * (information(low, high) + information(high, low));
            (mean > 0.0).then_some((low as u32, high as u32, mean as f32))
        });
        Association::new(vocabulary, &entries.collect::<Vec<_>>())
    }
}

/// A symmetric sparse matrix: by row, the columns and their values.
struct Association(Grouped<(u32, f32)>);

impl Association {
    /// A matrix of these entries `(row, column, value)`, each on or above the diagonal.
    fn new(rows: usize, entries: &[(u32, u32, f32)]) -> Self {
        let both = entries.iter().flat_map(|&(low, high, value)| {
            let mirrored = (low != high).then_some((high, (low, value)));
            std::iter::once((low, (high, value))).chain(mirrored)
        });
        Self(Grouped::new(rows, both))
    }

    /// The matrix times `x` (`rows × width`).
    fn times(&self, x: &[f32], width: usize) -> Vec<f32> {
        let mut product = vec![0f32; self.0.groups() * width];
        product.par_chunks_exact_mut(width).enumerate().for_each(|(row, sum)| {
            for &(other, value) in self.0.of(row) {
                sum.iter_mut().zip(&x[other as usize * width..][..width]).for_each(|(sum, &x)| *sum += value * x);
            }
        });
        product
    }

    /// The eigenvectors of the `width` eigenvalues of largest magnitude, each times the square root of the magnitude:
    /// `rows × width` values. By subspace iteration from a random start (Halko, Martinsson and Tropp 2011).
    fn directions(&self, width: usize, seed: u64) -> Result<Vec<f32>> {
        let wide = (width + OVERSAMPLING).min(self.0.groups());
        let mut random = Random::new(seed, &[STREAM, 0]);
        let mut space: Vec<f32> = (0..self.0.groups() * wide).map(|_| random.normal() as f32).collect();
        for _ in 0..ROUNDS {
            space = orthonormal(&self.times(&space, wide), wide)?;
        }
        // The square of the matrix within the subspace: it has the same eigenvectors, ordered by magnitude.
        let image = self.times(&space, wide);
        let kept = width.min(wide);
        let directions = principal_directions(&scatter(&image, wide), wide, kept)?;
        let mut table = project(&space, &directions, wide, kept);
        let strengths = project(&image, &directions, wide, kept);
        let squares = column_products(&strengths, &strengths, kept);
        let roots: Vec<f32> = squares.iter().map(|square| square.powf(0.25) as f32).collect();
        table.chunks_exact_mut(kept).for_each(|row| row.iter_mut().zip(&roots).for_each(|(x, root)| *x *= root));
        if width > wide {
            // There are fewer tokens than dimensions: the rest is zero.
            table =
                table.chunks_exact(wide).flat_map(|row| row.iter().copied().chain(vec![0.0; width - wide])).collect();
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(texts: &[&[u32]]) -> TokenBatch {
        texts.iter().copied().collect()
    }

    #[test]
    fn pairs_are_weighted_by_distance_whatever_the_batches() {
        let mut counts = Cooccurrence::new(5);
        counts.count(&batch(&[&[1, 2, 1], &[3]]));
        counts.merge();
        counts.count(&batch(&[&[2, 1]]));
        counts.merge();
        let pair = |low: u64, high: u64| low << 32 | high;
        assert_eq!(counts.pairs, [(pair(1, 1), 30), (pair(1, 2), 180)]);
        assert_eq!(counts.frequencies, [0, 3, 2, 1, 0]);
    }

    #[test]
    fn the_largest_eigenvectors_restore_a_matrix_of_low_rank() {
        // Two blocks of eigenvalues 4 · 2 and 4 · 1.
        let mut entries = Vec::new();
        for (first, value) in [(0u32, 2f32), (4, 1.0)] {
            for one in first..first + 4 {
                (one..first + 4).for_each(|other| entries.push((one, other, value)));
            }
        }
        let table = Association::new(40, &entries).directions(2, 1).unwrap();
        let product = |a: usize, b: usize| table[2 * a] * table[2 * b] + table[2 * a + 1] * table[2 * b + 1];
        for (a, b, want) in [(0, 0, 2.0), (0, 3, 2.0), (4, 7, 1.0), (0, 5, 0.0), (20, 20, 0.0)] {
            assert!((product(a, b) - want).abs() < 1e-4, "{a}, {b}: {}", product(a, b));
        }
    }

    #[test]
    fn words_with_the_same_neighbours_have_similar_vectors() {
        // 1 and 2 stand beside 5 and 6; 3 and 4 beside 7 and 8.
        let mut random = Random::new(1, &[]);
        let mut counts = Cooccurrence::new(10);
        for _ in 0..400 {
            let group = random.below(2) as u32;
            let (word, one, two) = (1 + 2 * group + random.below(2) as u32, 5 + 2 * group, 6 + 2 * group);
            counts.count(&batch(&[&[one, word, two]]));
        }
        let start = counts.start(4, 6, 1).unwrap();
        let row = |id: usize| &start.table[4 * id..4 * id + 4];
        let cosine = |a: usize, b: usize| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(row(a), row(b)) / (dot(row(a), row(a)) * dot(row(b), row(b))).sqrt()
        };
        assert!(cosine(1, 2) > 0.9 && cosine(3, 4) > 0.9, "{} {}", cosine(1, 2), cosine(3, 4));
        assert!(cosine(1, 3).abs() < 0.5, "{}", cosine(1, 3));
        assert!(row(0).iter().all(|&x| x == 0.0) && row(9).iter().any(|&x| x != 0.0));
        assert_eq!((start.skip.len(), start.skip[0], start.skip[5]), (24, 1.0, 1.0));
    }
}
