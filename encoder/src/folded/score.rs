//! The attention's scores: a narrow convolution, and a matrix with a column for each head.
//!
//! In int8 the scores are computed in integers. A feature is relu(sum + bias) in units of its filter's sums, an i16.
//! The units are multiplied into the matrix, whose numbers are as large as the i32 that holds their sum allows.

use bytemuck::{Pod, Zeroable};

use super::{
    gather::{Filters, activate},
    layout::{HEAD_LANES, LANES},
    simd::Simd,
    table::{FloatStretch, Stretch},
};

/// The weights of the attention's scores.
pub(super) struct Scores {
    pub(super) filters: Filters,
    /// `[lane groups][filters][16]`: a column for each head, and a column of zeros for the plain mean (all scores are
    /// 0, so the softmax is uniform).
    weight: Vec<[f32; HEAD_LANES]>,
    /// `[lane groups]`
    pub(super) bias: Vec<[f32; HEAD_LANES]>,
    integers: Int8Scores,
}

/// The weights as integers; empty but in int8.
#[derive(Default)]
struct Int8Scores {
    /// The summand of each filter's sums.
    bias: Vec<[i16; LANES]>,
    /// `[lane groups][filters / 4][32]`: for each head of a group two filters, then for each head the next two.
    weight: Vec<[[i16; 2]; LANES]>,
    /// `[lane groups]`: the scales.
    unit: Vec<[f32; HEAD_LANES]>,
    /// `[lane groups]`: the summand of each score.
    constant: Vec<[f32; HEAD_LANES]>,
}

impl Scores {
    /// `weight` is `[lane groups][filters][16]`, `bias` `[lane groups][16]`.
    pub(super) fn new(filters: Filters, weight: Vec<[f32; HEAD_LANES]>, bias: Vec<[f32; HEAD_LANES]>) -> Self {
        let integers =
            if filters.unit.is_empty() { Int8Scores::default() } else { Int8Scores::new(&filters, &weight, &bias) };
        Self { filters, weight, bias, integers }
    }
}

impl Int8Scores {
    fn new(filters: &Filters, weight: &[[f32; HEAD_LANES]], bias: &[[f32; HEAD_LANES]]) -> Self {
        let most = filters.taps.greatest_sum() as f32;
        let (biases, units) = (filters.bias.as_flattened(), filters.unit.as_flattened());
        let rounded =
            |(&bias, &unit): (&f32, &f32)| if unit > 0.0 { (bias / unit).clamp(-most, most).round() } else { 0.0 };
        let summands: Vec<i16> = biases.iter().zip(units).map(|bias| rounded(bias) as i16).collect();
        // Above the greatest sum the relu no longer clips a bias: the rest of the bias is a constant.
        let constants: Vec<f32> = biases.iter().zip(units).map(|(bias, unit)| (bias - unit * most).max(0.0)).collect();
        let mut to = Self { bias: summands.as_chunks().0.to_vec(), ..Self::default() };
        for (weight, bias) in weight.chunks_exact(units.len()).zip(bias) {
            let products: Vec<[f32; HEAD_LANES]> =
                weight.iter().zip(units).map(|(weights, unit)| weights.map(|weight| weight * unit)).collect();
            let unit: [f32; HEAD_LANES] = std::array::from_fn(|head| integer_unit(&products, head, most));
            let number = |filter: usize, head: usize| {
                let number = products[filter][head] / unit[head];
                if number.is_finite() { number.round() as i16 } else { 0 }
            };
            to.weight.extend((0..units.len()).step_by(4).map(|filter| {
                std::array::from_fn(|column| {
                    let (filter, head) = (filter + column / HEAD_LANES * 2, column % HEAD_LANES);
                    [number(filter, head), number(filter + 1, head)]
                })
            }));
            to.constant.push(std::array::from_fn(|head| {
                weight.iter().zip(&constants).fold(bias[head], |sum, (weight, constant)| sum + weight[head] * constant)
            }));
            to.unit.push(unit);
        }
        to
    }
}

/// The least unit with which a head's weights fit an i16 and the sum of their products with any features (up to twice
/// `most`) fits an i32.
fn integer_unit(products: &[[f32; HEAD_LANES]], head: usize, most: f32) -> f32 {
    let magnitudes = products.iter().map(|product| f64::from(product[head].abs()));
    let greatest = magnitudes.clone().fold(0.0, f64::max);
    // Rounding changes each weight by up to a half.
    let room = f64::from(i32::MAX) / (2.0 * f64::from(most)) - 0.5 * products.len() as f64;
    (greatest / f64::from(i16::MAX)).max(magnitudes.sum::<f64>() / room) as f32
}

/// Stretches from whose sums of taps scores are computed.
pub(super) trait ScoreStretch: Stretch {
    /// The type of a feature.
    type Feature: Pod;

    /// Writes the 32 features of the filter group `group`.
    fn features<S: Simd>(simd: S, scores: &Scores, group: usize, sums: Self::Sums<S>, to: &mut [Self::Feature; LANES]);
    /// The scores of the lane group `group` at `P` positions, from the positions' features.
    fn scores<S: Simd, const P: usize>(
        simd: S,
        scores: &Scores,
        group: usize,
        features: [&[Self::Feature]; P],
    ) -> [S::Floats; P];
}

impl<N: FloatStretch> ScoreStretch for N {
    type Feature = f32;

    #[inline(always)]
    fn features<S: Simd>(simd: S, scores: &Scores, group: usize, sums: Self::Sums<S>, to: &mut [f32; LANES]) {
        activate(simd, sums, &scores.filters.bias[group], to);
    }

    #[inline(always)]
    fn scores<S: Simd, const P: usize>(
        simd: S,
        scores: &Scores,
        group: usize,
        features: [&[f32]; P],
    ) -> [S::Floats; P] {
        let width = features[0].len();
        let mut sums = [simd.load(&scores.bias[group]); P];
        for (filter, weights) in scores.weight[group * width..(group + 1) * width].iter().enumerate() {
            let weights = simd.load(weights);
            for p in 0..P {
                sums[p] = simd.add(sums[p], simd.multiply(simd.splat(features[p][filter]), weights));
            }
        }
        sums
    }
}

impl ScoreStretch for [i8; LANES] {
    type Feature = i16;

    #[inline(always)]
    fn features<S: Simd>(simd: S, scores: &Scores, group: usize, sums: S::Shorts, to: &mut [i16; LANES]) {
        let values = simd.add_shorts(sums, bytemuck::cast(scores.integers.bias[group]));
        *to = bytemuck::cast(simd.max_shorts(values, S::Shorts::zeroed()));
    }

    #[inline(always)]
    fn scores<S: Simd, const P: usize>(
        simd: S,
        scores: &Scores,
        group: usize,
        features: [&[i16]; P],
    ) -> [S::Floats; P] {
        let width = features[0].len() / 4;
        let Int8Scores { weight, unit, constant, .. } = &scores.integers;
        let mut fours: [&[[[i16; 2]; 2]]; P] = [&[]; P];
        for p in 0..P {
            fours[p] = &bytemuck::cast_slice(features[p])[..width];
        }
        let mut sums = [S::Sums::zeroed(); P];
        for (k, weights) in weight[group * width..(group + 1) * width].iter().enumerate() {
            for p in 0..P {
                sums[p] = simd.dot_shorts(sums[p], weights, &fours[p][k]);
            }
        }
        let (unit, constant) = (simd.load(&unit[group]), simd.load(&constant[group]));
        let mut floats = [constant; P];
        for p in 0..P {
            let [first, second] = simd.sums_to_floats(sums[p], 0);
            floats[p] = simd.add(simd.multiply(simd.add(first, second), unit), constant);
        }
        floats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folded::{layout::Taps, simd::Portable};

    const FILTERS: usize = 2 * LANES;

    /// A score in floats, from features relu(sum · unit + bias).
    fn expected(scores: &Scores, sums: &[i16], head: usize) -> f64 {
        let (bias, unit) = (scores.filters.bias.as_flattened(), scores.filters.unit.as_flattened());
        (0..FILTERS).fold(f64::from(scores.bias[0][head]), |score, filter| {
            let feature = f64::from(sums[filter]) * f64::from(unit[filter]) + f64::from(bias[filter]);
            score + feature.max(0.0) * f64::from(scores.weight[filter][head])
        })
    }

    #[test]
    fn integer_scores_equal_float_scores_for_any_bias_and_unit() {
        let taps = Taps { at: 0, width: 5, filters: FILTERS, factor_at: 8, limit: 16_383 };
        let most = taps.greatest_sum() as f32;
        // A pseudo-random number within ±1.
        let number = |n: usize| (n * 7919 % 2003) as f32 / 1001.0 - 1.0;
        let mut unit: [f32; FILTERS] = std::array::from_fn(|filter| 1e-4 * (1.5 + number(filter)));
        let mut bias: [f32; FILTERS] = std::array::from_fn(|filter| unit[filter] * most * number(filter + 77));
        // Filters without taps, and filters whose bias no sum of taps reaches.
        (unit[3], unit[4]) = (0.0, 0.0);
        (bias[3], bias[4], bias[5], bias[6]) = (0.7, -0.7, 9.0, -9.0);
        let filters = Filters { taps, bias: bias.as_chunks().0.to_vec(), unit: unit.as_chunks().0.to_vec() };
        let weight = (0..FILTERS).map(|filter| std::array::from_fn(|head| number(filter * 16 + head))).collect();
        let scores = Scores::new(filters, weight, vec![std::array::from_fn(number)]);

        for case in 0..50 {
            let sums: [i16; FILTERS] = std::array::from_fn(|filter| match (unit[filter] > 0.0, case) {
                (false, _) => 0,
                (true, 0) => most as i16,
                (true, 1) => -most as i16,
                _ => (most * number(filter * 31 + case * 997)) as i16,
            });
            let mut features = [[0i16; LANES]; FILTERS / LANES];
            for (group, features) in features.iter_mut().enumerate() {
                let sums = *sums[group * LANES..].first_chunk().unwrap();
                <[i8; LANES]>::features(Portable, &scores, group, sums, features);
            }
            let [found] = <[i8; LANES]>::scores(Portable, &scores, 0, [features.as_flattened()]);
            for (head, found) in found.into_iter().enumerate() {
                // The error of 64 features up to 2: half a unit each, and half of 1 in some thousand of the weights.
                let expected = expected(&scores, &sums, head);
                assert!((f64::from(found) - expected).abs() < 0.02, "{case}, {head}: {found}, not {expected}");
            }
        }
    }
}
