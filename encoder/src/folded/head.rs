//! The head: the features of a block of sentences times one matrix.
//!
//! Weights lie in panels of 32 outputs. In f32 a panel holds 32 numbers a feature; in int8 it holds 128 bytes a group of four
//! features, four bytes an output, each 128 above the signed number (that is what `vpdpbusd` wants).

use super::{
    gather::add_to,
    layout::{Block, LANES, Layout},
    math,
    simd::Simd,
    table::{both, load, store},
};

/// How many sentences share a pass over a panel.
const ROWS: usize = 8;

/// The head's weights, in place in the file.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    F32(&'a [[f32; LANES]]),
    /// The numbers, and what 1 is worth: `[blocks][outputs]`.
    Int8(&'a [[u8; 4 * LANES]], &'a [[f32; LANES]]),
}

/// Memory for quantised features.
#[derive(Default)]
pub struct Scratch {
    /// `[rows][features / 4]`
    numbers: Vec<[i8; 4]>,
    /// `[rows][blocks]`: what 1 is worth, and 128 times the sum of the numbers.
    blocks: Vec<(f32, i32)>,
}

/// Adds weight · features + bias to each row of `out` (`[rows][outputs]`); `features` are `[rows][layout.features]`.
#[inline(always)]
pub fn multiply<S: Simd>(
    simd: S,
    layout: &Layout,
    (weights, bias): (Weights<'_>, &[[f32; LANES]]),
    features: &[f32],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let count = features.len() / layout.features;
    match weights {
        Weights::F32(weights) => {
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
        Weights::Int8(weights, scales) => {
            quantise(simd, layout, features, scratch);
            for (panel, (weights, bias)) in weights.chunks_exact(layout.features / 4).zip(bias).enumerate() {
                let tile = IntTile { layout, weights, scales: &scales[panel..], bias, panels: layout.outputs / LANES };
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

#[inline(always)]
fn float_tile<S: Simd, const M: usize>(
    simd: S,
    layout: &Layout,
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

/// What all sentences share of a panel.
struct IntTile<'a> {
    layout: &'a Layout,
    weights: &'a [[u8; 4 * LANES]],
    /// From this panel's scales of the first block on.
    scales: &'a [[f32; LANES]],
    bias: &'a [f32; LANES],
    /// From a block's scales to the next.
    panels: usize,
}

impl IntTile<'_> {
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
        for (index, &Block { at, width }) in self.layout.blocks.iter().enumerate() {
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

/// Each block of each row of features as int8, with a scale of its own.
#[inline(always)]
fn quantise<S: Simd>(simd: S, layout: &Layout, features: &[f32], scratch: &mut Scratch) {
    scratch.numbers.resize(features.len() / 4, [0; 4]);
    scratch.blocks.clear();
    let rows = features.chunks_exact(layout.features);
    for (features, numbers) in rows.zip(scratch.numbers.chunks_exact_mut(layout.features / 4)) {
        for &Block { at, width } in &layout.blocks {
            let numbers = numbers[at / 4..(at + width) / 4].as_flattened_mut();
            scratch.blocks.push(quantise_block(simd, &features[at..at + width], numbers));
        }
    }
}

/// Writes the numbers, and returns what 1 is worth and 128 times their sum.
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
    // A loop of its own: an iterator's sum may become a function, which would be compiled without this level's instructions.
    let mut sum = 0;
    for &number in numbers.iter() {
        sum += i32::from(number);
    }
    (greatest / 127.0, sum * 128)
}
