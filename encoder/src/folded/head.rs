//! The head: the features of a block of sentences times one matrix.
//!
//! Weights lie in panels of 32 outputs. In f32 a panel holds 32 numbers a feature; in int8 it holds 128 bytes a group of four
//! features, four bytes an output, each 128 above the signed number (that is what `vpdpbusd` wants).

use super::{
    layout::{Block, LANES, Layout},
    math,
    simd::Int8Dot,
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
pub fn multiply<D: Int8Dot>(
    dot: D,
    layout: &Layout,
    (weights, bias): (Weights<'_>, &[[f32; LANES]]),
    features: &[f32],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    match weights {
        Weights::F32(weights) => {
            let panels = weights.chunks_exact(layout.features);
            for (panel, (weights, bias)) in panels.zip(bias).enumerate() {
                rows(features.len() / layout.features, |row, count| {
                    let features = &features[row * layout.features..];
                    let out = &mut out[row * layout.outputs + panel * LANES..];
                    match count {
                        ROWS => float_tile::<ROWS>(layout, weights, bias, features, out),
                        4 => float_tile::<4>(layout, weights, bias, features, out),
                        _ => float_tile::<1>(layout, weights, bias, features, out),
                    }
                });
            }
        }
        Weights::Int8(weights, scales) => {
            quantise(layout, features, scratch);
            let panels = weights.chunks_exact(layout.features / 4);
            for (panel, (weights, bias)) in panels.zip(bias).enumerate() {
                let tile = IntTile { layout, weights, scales: &scales[panel..], bias, panels: bias_panels(layout) };
                rows(features.len() / layout.features, |row, count| {
                    let numbers = &scratch.numbers[row * layout.features / 4..];
                    let blocks = &scratch.blocks[row * layout.blocks.len()..];
                    let out = &mut out[row * layout.outputs + panel * LANES..];
                    match count {
                        ROWS => tile.run::<D, ROWS>(dot, numbers, blocks, out),
                        4 => tile.run::<D, 4>(dot, numbers, blocks, out),
                        _ => tile.run::<D, 1>(dot, numbers, blocks, out),
                    }
                });
            }
        }
    }
}

fn bias_panels(layout: &Layout) -> usize {
    layout.outputs / LANES
}

/// Calls `work` with a first row and a count of 8, 4 or 1 until all rows are done.
#[inline(always)]
fn rows(count: usize, mut work: impl FnMut(usize, usize)) {
    let mut row = 0;
    while row < count {
        let some = match count - row {
            ROWS.. => ROWS,
            4.. => 4,
            _ => 1,
        };
        work(row, some);
        row += some;
    }
}

#[inline(always)]
fn float_tile<const M: usize>(
    layout: &Layout,
    weights: &[[f32; LANES]],
    bias: &[f32; LANES],
    features: &[f32],
    out: &mut [f32],
) {
    let features: [&[f32]; M] = std::array::from_fn(|m| &features[m * layout.features..][..weights.len()]);
    let mut sums = [*bias; M];
    for (k, weights) in weights.iter().enumerate() {
        for m in 0..M {
            let feature = features[m][k];
            for j in 0..LANES {
                sums[m][j] += feature * weights[j];
            }
        }
    }
    for (m, sums) in sums.iter().enumerate() {
        let out = &mut out[m * layout.outputs..][..LANES];
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
    }
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
    fn run<D: Int8Dot, const M: usize>(&self, dot: D, numbers: &[[i8; 4]], blocks: &[(f32, i32)], out: &mut [f32]) {
        let (all, count) = (self.layout.features / 4, self.layout.blocks.len());
        let mut totals = [*self.bias; M];
        for (index, &Block { at, width }) in self.layout.blocks.iter().enumerate() {
            let weights = &self.weights[at / 4..(at + width) / 4];
            let numbers: [&[[i8; 4]]; M] = std::array::from_fn(|m| &numbers[m * all + at / 4..][..weights.len()]);
            let mut sums = [dot.zero(); M];
            for (k, weights) in weights.iter().enumerate() {
                for m in 0..M {
                    sums[m] = dot.add(sums[m], weights, numbers[m][k]);
                }
            }
            let scales = &self.scales[index * self.panels];
            for (m, totals) in totals.iter_mut().enumerate() {
                let (scale, offset) = blocks[m * count + index];
                for ((total, sum), weight_scale) in totals.iter_mut().zip(dot.sums(sums[m])).zip(scales) {
                    *total += sum.wrapping_sub(offset) as f32 * (scale * weight_scale);
                }
            }
        }
        for (m, totals) in totals.iter().enumerate() {
            let out = &mut out[m * self.layout.outputs..][..LANES];
            out.iter_mut().zip(totals).for_each(|(out, total)| *out += total);
        }
    }
}

/// Each block of each row of features as int8, with a scale of its own.
#[inline(always)]
fn quantise(layout: &Layout, features: &[f32], scratch: &mut Scratch) {
    scratch.numbers.resize(features.len() / 4, [0; 4]);
    scratch.blocks.clear();
    for (features, numbers) in
        features.chunks_exact(layout.features).zip(scratch.numbers.chunks_exact_mut(layout.features / 4))
    {
        for &Block { at, width } in &layout.blocks {
            let numbers = numbers[at / 4..(at + width) / 4].as_flattened_mut();
            scratch.blocks.push(quantise_block(&features[at..at + width], numbers));
        }
    }
}

#[inline(always)]
fn quantise_block(features: &[f32], numbers: &mut [i8]) -> (f32, i32) {
    let mut greatest = [0.0f32; LANES];
    for features in features.as_chunks::<LANES>().0 {
        greatest
            .iter_mut()
            .zip(features)
            .for_each(|(greatest, feature)| *greatest = math::max(*greatest, feature.abs()));
    }
    let greatest = greatest.into_iter().fold(0.0, math::max);
    // Below this nothing is left of a number in f32 anyway, and the division would overflow.
    let inverse = if greatest > 1e-30 { 127.0 / greatest } else { 0.0 };
    let mut sums = [0i32; LANES];
    for (features, numbers) in features.as_chunks::<LANES>().0.iter().zip(numbers.as_chunks_mut::<LANES>().0) {
        for ((feature, number), sum) in features.iter().zip(numbers).zip(&mut sums) {
            let rounded = math::round(feature * inverse);
            *number = rounded as i8;
            *sum += i32::from(*number);
        }
    }
    (greatest / 127.0, sums.iter().sum::<i32>() * 128)
}
