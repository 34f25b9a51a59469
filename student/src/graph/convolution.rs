//! The folded convolution: a sum of table rows, `conv(i) = Σ_t U[token(i + t − width/2), t]` with `U = E·W`.
//!
//! `U` has a row for each distinct token of the batch; a row has `filters` values for each tap.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{Result, bail};
use limbeck_training::optimiser::Number;
use rayon::prelude::*;

use super::DistinctTokens;
use super::op::{TableOperation, add, by_span};

/// The filters of one task of a backward pass: so few that their gradient stays in the second-level cache.
const BLOCK: usize = 64;

/// The taps that fall inside `span` when the convolution stands at `position`: pairs of a tap and its own position.
fn taps(position: usize, width: usize, span: &Range<usize>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let half = width / 2;
    let first = (span.start + half).saturating_sub(position);
    let end = width.min(span.end + half - position);
    (first..end).map(move |tap| (tap, position + tap - half))
}

/// `U` (`[distinct, width · filters]`, tap-major) to a row for every position: `[positions, filters]`.
pub(super) struct Convolve {
    pub tokens: Arc<DistinctTokens>,
    pub width: usize,
}

/// `U` (`[distinct, width · filters]`) to the maximum of each filter over a text's positions: `[texts, filters]`. Only
/// the positions of the maxima get a gradient.
pub(super) struct ConvolveMax {
    tokens: Arc<DistinctTokens>,
    width: usize,
    /// The positions of the maxima in the forward pass, `[texts, filters]`.
    winners: OnceLock<Vec<u32>>,
}

impl ConvolveMax {
    /// The operation for one batch.
    pub(super) fn new(tokens: Arc<DistinctTokens>, width: usize) -> Self {
        Self { tokens, width, winners: OnceLock::new() }
    }
}

impl TableOperation for ConvolveMax {
    const NAME: &'static str = "folded-convolution-max";

    fn shape(&self, stride: usize) -> (usize, usize) {
        (self.tokens.texts(), stride / self.width)
    }

    fn forward<T: Number>(&self, table: &[T], stride: usize) -> Vec<T> {
        let filters = stride / self.width;
        let mut output = vec![T::neg_infinity(); self.tokens.texts() * filters];
        let mut winners = vec![0u32; output.len()];
        let spans: Vec<Range<usize>> = self.tokens.spans().collect();
        (output.par_chunks_mut(filters), winners.par_chunks_mut(filters), spans).into_par_iter().for_each_init(
            || vec![T::zero(); filters],
            |sum, (best, winner, span)| {
                for position in span.clone() {
                    sum.fill(T::zero());
                    for (tap, at) in taps(position, self.width, &span) {
                        let row = self.tokens.local()[at] as usize * stride + tap * filters;
                        add(sum, &table[row..row + filters]);
                    }
                    for ((best, winner), &sum) in best.iter_mut().zip(winner.iter_mut()).zip(sum.iter()) {
                        if sum > *best {
                            (*best, *winner) = (sum, position as u32);
                        }
                    }
                }
            },
        );
        // The operation belongs to one batch: a second forward pass would find the same winners.
        let _ = self.winners.set(winners);
        output
    }

    fn backward<T: Number>(&self, gradient: &[T], stride: usize) -> Result<Vec<T>> {
        let Some(winners) = self.winners.get() else { bail!("backward before forward") };
        let (rows, filters) = (self.tokens.tokens().len(), stride / self.width);
        let blocks: Vec<(Range<usize>, Vec<T>)> = (0..filters.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let range = block * BLOCK..filters.min((block + 1) * BLOCK);
                let size = range.len();
                let mut sums = vec![T::zero(); rows * self.width * size];
                for text in 0..self.tokens.texts() {
                    let span = self.tokens.span(text);
                    for filter in range.clone() {
                        let from = text * filters + filter;
                        for (tap, at) in taps(winners[from] as usize, self.width, &span) {
                            let row = self.tokens.local()[at] as usize * self.width + tap;
                            sums[row * size + filter - range.start] += gradient[from];
                        }
                    }
                }
                (range, sums)
            })
            .collect();
        let mut output = vec![T::zero(); rows * stride];
        output.par_chunks_mut(stride).enumerate().for_each(|(row, output)| {
            for (range, sums) in &blocks {
                for tap in 0..self.width {
                    let from = (row * self.width + tap) * range.len();
                    output[tap * filters..][range.clone()].copy_from_slice(&sums[from..from + range.len()]);
                }
            }
        });
        Ok(output)
    }
}

impl TableOperation for Convolve {
    const NAME: &'static str = "folded-convolution";

    fn shape(&self, stride: usize) -> (usize, usize) {
        (self.tokens.local().len(), stride / self.width)
    }

    fn forward<T: Number>(&self, table: &[T], stride: usize) -> Vec<T> {
        let filters = stride / self.width;
        let mut output = vec![T::zero(); self.tokens.local().len() * filters];
        by_span(&mut output, self.tokens.spans(), filters).into_par_iter().for_each(|(span, rows)| {
            for (position, sum) in span.clone().zip(rows.chunks_exact_mut(filters)) {
                for (tap, at) in taps(position, self.width, &span) {
                    let row = self.tokens.local()[at] as usize * stride + tap * filters;
                    add(sum, &table[row..row + filters]);
                }
            }
        });
        output
    }

    fn backward<T: Number>(&self, gradient: &[T], stride: usize) -> Result<Vec<T>> {
        let (half, filters) = (self.width / 2, stride / self.width);
        let mut output = vec![T::zero(); self.tokens.tokens().len() * stride];
        output.par_chunks_mut(stride).enumerate().for_each(|(token, sums)| {
            for &at in self.tokens.positions_of(token) {
                let span = self.tokens.span(self.tokens.text_of(at as usize));
                for (tap, sum) in sums.chunks_exact_mut(filters).enumerate() {
                    // Tap `tap` of the output at `at - tap + half` looked at this position.
                    let position = (at as usize + half).wrapping_sub(tap);
                    if span.contains(&position) {
                        add(sum, &gradient[position * filters..(position + 1) * filters]);
                    }
                }
            }
        });
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_beyond_the_ends_of_a_text_are_left_out() {
        let look = |position, width| taps(position, width, &(10..13)).collect::<Vec<_>>();
        assert_eq!(look(10, 3), [(1, 10), (2, 11)]);
        assert_eq!(look(11, 3), [(0, 10), (1, 11), (2, 12)]);
        assert_eq!(look(12, 5), [(0, 10), (1, 11), (2, 12)]);
        assert_eq!(look(10, 1), [(0, 10)]);
        assert_eq!(taps(0, 5, &(0..1)).collect::<Vec<_>>(), [(2, 0)]);
    }
}
