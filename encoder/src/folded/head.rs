//! The output head: one matrix, multiplied by the features of a block of sentences.
//!
//! HeadMatrix lie in panels of 32 outputs. An f32 panel holds 32 numbers for each feature. An int8 panel holds 128
//! bytes for each group of four features, four bytes for each output; a byte is 128 above its signed number, because
//! `vpdpbusd` takes unsigned bytes.

use super::{
    gather::add_to,
    layout::{FeatureBlock, FoldedLayout, LANES},
    math,
    simd::{Simd, both},
    table::{load, store},
};

/// How many sentences share a pass over a panel.
const ROWS: usize = 8;

/// The head's weights, where they lie in the mapped file.
#[derive(Clone, Copy)]
pub(super) enum HeadMatrix<'a> {
    F32(&'a [[f32; LANES]]),
    /// The weights, and the scales: `[blocks][outputs]`.
    Int8(&'a [[u8; 4 * LANES]], &'a [[f32; LANES]]),
}

/// Memory for quantised features, reused for the next block of sentences.
#[derive(Default)]
pub(super) struct HeadScratch {
    /// `[rows][features / 4]`
    numbers: Vec<[i8; 4]>,
    /// `[rows][blocks]`: the scale, and 128 times the sum of the numbers.
    blocks: Vec<(f32, i32)>,
}

/// The output head.
pub(super) struct Head<'a> {
    pub(super) layout: &'a FoldedLayout,
    pub(super) weights: HeadMatrix<'a>,
    pub(super) bias: &'a [[f32; LANES]],
}

impl Head<'_> {
    /// Adds weight · features + bias to each row of `out`, `[rows][outputs]`; `features` are `[rows][layout.features]`.
    #[inline(always)]
    pub(super) fn multiply<S: Simd>(&self, simd: S, features: &[f32], scratch: &mut HeadScratch, out: &mut [f32]) {
        let &Self { layout, weights, bias } = self;
        let count = features.len() / layout.features;
        match weights {
            HeadMatrix::F32(weights) => {
                for (panel, (weights, bias)) in weights.chunks_exact(layout.features).zip(bias).enumerate() {
                    let mut row = 0;
                    while row < count {
                        let features = &features[row * layout.features..];
                        let out = &mut out[row * layout.outputs + panel * LANES..];
                        row += match count - row {
                            ROWS.. => float_tile::<S, ROWS>(simd, layout, weights, bias, features, out),
                            4.. => float_tile::<S, 4>(simd, layout, weights, bias, features, out),
                            _ => float_tile::<S, 1>(simd, layout, weights, bias, features, out),
                        };
                    }
                }
            }
            HeadMatrix::Int8(weights, scales) => {
                quantise(simd, layout, features, scratch);
                for (panel, (weights, bias)) in weights.chunks_exact(layout.features / 4).zip(bias).enumerate() {
                    let tile =
                        Int8Tile { layout, weights, scales: &scales[panel..], bias, panels: layout.outputs / LANES };
                    let mut row = 0;
                    while row < count {
                        let numbers = &scratch.numbers[row * layout.features / 4..];
                        let blocks = &scratch.blocks[row * layout.blocks.len()..];
                        let out = &mut out[row * layout.outputs + panel * LANES..];
                        row += match count - row {
                            ROWS.. => tile.run::<S, ROWS>(simd, numbers, blocks, out),
                            4.. => tile.run::<S, 4>(simd, numbers, blocks, out),
                            _ => tile.run::<S, 1>(simd, numbers, blocks, out),
                        };
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn float_tile<S: Simd, const M: usize>(
    simd: S,
    layout: &FoldedLayout,
    weights: &[[f32; LANES]],
    bias: &[f32; LANES],
    features: &[f32],
    out: &mut [f32],
) -> usize {
    let features: [&[f32]; M] = std::array::from_fn(|m| &features[m * layout.features..][..weights.len()]);
    let mut sums = [load(simd, bias); M];
    for (k, weights) in weights.iter().enumerate() {
        let weights = load(simd, weights);
        for m in 0..M {
            let feature = simd.splat(features[m][k]);
            sums[m] = both(sums[m], weights, |sum, weight| simd.add(sum, simd.multiply(feature, weight)));
        }
    }
    for m in 0..M {
        add_to(simd, sums[m], &mut out[m * layout.outputs..]);
    }
    M
}

/// A panel, which all sentences share.
struct Int8Tile<'a> {
    layout: &'a FoldedLayout,
    weights: &'a [[u8; 4 * LANES]],
    /// The scales, from this panel's of the first feature block on.
    scales: &'a [[f32; LANES]],
    bias: &'a [f32; LANES],
    /// The distance from a feature block's scales to the next block's.
    panels: usize,
}

impl Int8Tile<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(
        &self,
        simd: S,
        numbers: &[[i8; 4]],
        blocks: &[(f32, i32)],
        out: &mut [f32],
    ) -> usize {
        let (all, count) = (self.layout.features / 4, self.layout.blocks.len());
        let mut totals = [*self.bias; M];
        for (index, &FeatureBlock { at, width }) in self.layout.blocks.iter().enumerate() {
            let weights = &self.weights[at / 4..(at + width) / 4];
            let numbers: [&[[i8; 4]]; M] = std::array::from_fn(|m| &numbers[m * all + at / 4..][..weights.len()]);
            let mut sums = [simd.no_sums(); M];
            for (k, weights) in weights.iter().enumerate() {
                for m in 0..M {
                    sums[m] = simd.dot(sums[m], weights, numbers[m][k]);
                }
            }
            let scales = load(simd, &self.scales[index * self.panels]);
            for m in 0..M {
                let (scale, offset) = blocks[m * count + index];
                let scales = scales.map(|weight_scale| simd.multiply(simd.splat(scale), weight_scale));
                let values = both(simd.sums_to_floats(sums[m], offset), scales, |sum, scale| simd.multiply(sum, scale));
                store(
                    simd,
                    both(load(simd, &totals[m]), values, |total, value| simd.add(total, value)),
                    &mut totals[m],
                );
            }
        }
        for m in 0..M {
            add_to(simd, load(simd, &totals[m]), &mut out[m * self.layout.outputs..]);
        }
        M
    }
}

/// Rounds each feature block of each row to int8, with a scale of its own.
#[inline(always)]
fn quantise<S: Simd>(simd: S, layout: &FoldedLayout, features: &[f32], scratch: &mut HeadScratch) {
    scratch.numbers.resize(features.len() / 4, [0; 4]);
    scratch.blocks.clear();
    let rows = features.chunks_exact(layout.features);
    for (features, numbers) in rows.zip(scratch.numbers.chunks_exact_mut(layout.features / 4)) {
        for &FeatureBlock { at, width } in &layout.blocks {
            let numbers = numbers[at / 4..(at + width) / 4].as_flattened_mut();
            scratch.blocks.push(quantise_block(simd, &features[at..at + width], numbers));
        }
    }
}

/// Writes the features as int8, and returns the scale and 128 times the numbers' sum.
#[inline(always)]
fn quantise_block<S: Simd>(simd: S, features: &[f32], numbers: &mut [i8]) -> (f32, i32) {
    let zero = simd.splat(0.0);
    let mut most = [zero; 2];
    for features in features.as_chunks::<LANES>().0 {
        let features = load(simd, features);
        most = both(most, features, |most, feature| simd.max(most, feature));
        most = both(most, features, |most, feature| simd.max(most, simd.subtract(zero, feature)));
    }
    let mut greatest = [0.0; LANES];
    store(simd, most, &mut greatest);
    let greatest = math::fold_halves(greatest, math::max);
    let scale = simd.splat(math::scale_to(127.0, greatest));
    for (features, numbers) in features.as_chunks::<16>().0.iter().zip(numbers.as_chunks_mut::<16>().0) {
        *numbers = simd.bytes(simd.multiply(simd.load(features), scale));
    }
    // A plain loop: an iterator's sum may become a function, which would be compiled without this level's instructions.
    let mut sum = 0;
    for &number in numbers.iter() {
        sum += i32::from(number);
    }
    (greatest / 127.0, sum * 128)
}
