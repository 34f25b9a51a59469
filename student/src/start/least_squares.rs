//! The start from the targets alone: the static model that fits them best.

use limbeck_encoder::TokenBatch;
use rayon::prelude::*;

use super::{Grouped, Start};
use crate::directions::{column_products, inverse, principal_directions, project, scatter};
use crate::error::Result;

/// The steps of conjugate gradients; the residual falls below one percent well before.
const STEPS: usize = 20;

/// The ridge, in texts: as if for each token there were this many texts of that token alone, with a target of zero.
const RIDGE: f32 = 0.5;

/// Texts as bags of tokens, with their targets.
pub struct Bags {
    /// The texts' tokens; every text has at least one.
    pub tokens: TokenBatch,
    /// `texts × dimension` values.
    pub targets: Vec<f32>,
    /// The width of the targets.
    pub dimension: usize,
    /// The rows of the table.
    pub vocabulary: usize,
}

/// The start for a cache without token vectors: the static model `Z` that comes nearest to the targets,
/// `min Σ_s |mean_{t ∈ s} Z_t − target_s|² + ridge · |Z|²`, found by conjugate gradients with the diagonal as
/// preconditioner, then reduced to `width` by the principal directions of `Z`'s rows.
///
/// The empty text's target is the mean of all targets.
pub fn least_squares(bags: &Bags, width: usize) -> Result<Start> {
    let dimension = bags.dimension;
    let solution = conjugate_gradients(bags);
    let directions = principal_directions(&scatter(&solution, dimension), dimension, width)?;
    let mut table = project(&solution, &directions, dimension, width);
    let mut mean = vec![0f64; dimension];
    for target in bags.targets.chunks_exact(dimension) {
        mean.iter_mut().zip(target).for_each(|(mean, &x)| *mean += f64::from(x));
    }
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let empty_target: Vec<f32> = mean.iter().map(|&x| (x / length) as f32).collect();
    table[..width].fill(0.0);
    let empty = (bags.vocabulary - 1) * width;
    table[empty..].copy_from_slice(&project(&empty_target, &directions, dimension, width));
    Ok(Start { table, width, skip: inverse(&directions, dimension, width), dimension, empty_target })
}

/// `A·x`: the mean row of each text, `texts × d`.
fn means(bags: &Bags, x: &[f32]) -> Vec<f32> {
    let d = bags.dimension;
    let mut output = vec![0f32; bags.tokens.rows() * d];
    output.par_chunks_mut(d).enumerate().for_each(|(text, sum)| {
        let tokens = bags.tokens.row(text);
        let share = 1.0 / tokens.len() as f32;
        for &token in tokens {
            let row = &x[token as usize * d..(token as usize + 1) * d];
            sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += share * x);
        }
    });
    output
}

/// Solves `(AᵀA + ridge) Z = Aᵀ T`: one system for each of the `dimension` columns, all in the same loop.
fn conjugate_gradients(bags: &Bags) -> Vec<f32> {
    let (d, v) = (bags.dimension, bags.vocabulary);
    let occurrences = |text: u32| bags.tokens.row(text as usize).iter().map(move |&token| (token, text));
    let texts = Grouped::new(v, (0..bags.tokens.rows() as u32).flat_map(occurrences));
    let share = |text: u32| 1.0 / bags.tokens.row_len(text as usize) as f32;
    // Aᵀ·y token by token: one thread sums a row, in a fixed order.
    let gather = |y: &[f32]| -> Vec<f32> {
        let mut output = vec![0f32; v * d];
        output.par_chunks_mut(d).enumerate().for_each(|(token, sum)| {
            for &text in texts.of(token) {
                let (row, share) = (&y[text as usize * d..(text as usize + 1) * d], share(text));
                sum.iter_mut().zip(row).for_each(|(sum, &y)| *sum += share * y);
            }
        });
        output
    };
    let squares = |token: usize| texts.of(token).iter().map(|&text| share(text).powi(2)).sum::<f32>();
    let diagonal: Vec<f32> = (0..v).map(|token| RIDGE + squares(token)).collect();
    let apply = |x: &[f32]| -> Vec<f32> {
        let mut output = gather(&means(bags, x));
        output.par_iter_mut().zip(x).for_each(|(output, &x)| *output += RIDGE * x);
        output
    };
    let precondition = |r: &[f32]| -> Vec<f32> {
        r.chunks_exact(d).zip(&diagonal).flat_map(|(row, &diagonal)| row.iter().map(move |&r| r / diagonal)).collect()
    };
    let mut solution = vec![0f32; v * d];
    let mut residual = gather(&bags.targets);
    let mut direction = precondition(&residual);
    let mut size = column_products(&residual, &direction, d);
    for _ in 0..STEPS {
        let image = apply(&direction);
        let step = ratios(&size, &column_products(&direction, &image, d));
        combine(&mut solution, &direction, |at, x, p| x + step[at] * p, d);
        combine(&mut residual, &image, |at, r, q| r - step[at] * q, d);
        let preconditioned = precondition(&residual);
        let next = column_products(&residual, &preconditioned, d);
        let keep = ratios(&next, &size);
        combine(&mut direction, &preconditioned, |at, p, z| z + keep[at] * p, d);
        size = next;
    }
    solution
}

/// `a / b` column by column; 0 for a column that is solved already.
fn ratios(a: &[f64], b: &[f64]) -> Vec<f32> {
    a.iter().zip(b).map(|(&a, &b)| if b > 1e-30 { (a / b) as f32 } else { 0.0 }).collect()
}

/// Replaces each value of `to` by `new(column, value, value at the same place in from)`.
fn combine(to: &mut [f32], from: &[f32], new: impl Fn(usize, f32, f32) -> f32 + Sync, d: usize) {
    to.par_chunks_exact_mut(d).zip(from.par_chunks_exact(d)).for_each(|(to, from)| {
        for (at, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = new(at, *to, from);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use limbeck_training::random::Random;

    #[test]
    fn targets_of_a_static_model_are_fitted_within_a_thousandth() {
        let (v, d, texts) = (40, 6, 3000);
        let mut random = Random::new(1, &[]);
        let truth: Vec<f32> = (0..v * d).map(|_| random.normal() as f32).collect();
        let mut tokens = TokenBatch::new();
        for _ in 0..texts {
            let length = 1 + random.below(6);
            tokens.push(&(0..length).map(|_| 1 + random.below(v - 2) as u32).collect::<Vec<_>>());
        }
        let mut bags = Bags { tokens, targets: Vec::new(), dimension: d, vocabulary: v };
        bags.targets = means(&bags, &truth);
        let start = least_squares(&bags, d).unwrap();
        let recovered = conjugate_gradients(&bags);
        let (mut off, mut size) = (0f32, 0f32);
        for (got, want) in means(&bags, &recovered).iter().zip(&bags.targets) {
            off += (got - want).powi(2);
            size += want.powi(2);
        }
        assert!(off < 1e-3 * size, "{off} of {size}");
        assert!(start.table[..d].iter().all(|&x| x == 0.0));
        assert_eq!(start.table.len(), v * d);
    }
}
