//! The output head: one matrix, multiplied by the features of a block of sentences.
//!
//! The weights lie in panels of 32 outputs. An f32 panel holds 32 numbers for each feature. An int8 panel holds 128
//! bytes for each group of four features, four bytes for each output; a byte is 128 above its signed number, because
//! `vpdpbusd` takes unsigned bytes.

use bytemuck::Zeroable;

use super::{
    gather::put,
    layout::{FeatureBlock, FoldedLayout, LANES},
    math,
    simd::{Simd, both},
    table::load,
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
        let count = features.len() / self.layout.features;
        if let HeadMatrix::Int8(..) = self.weights {
            quantise(simd, self.layout, features, scratch);
        }
        for panel in 0..self.layout.outputs / LANES {
            let mut row = 0;
            while row < count {
                let out = &mut out[row * self.layout.outputs + panel * LANES..];
                row += match count - row {
                    ROWS.. => self.tile::<S, ROWS>(simd, panel, row, features, scratch, out),
                    4.. => self.tile::<S, 4>(simd, panel, row, features, scratch, out),
                    _ => self.tile::<S, 1>(simd, panel, row, features, scratch, out),
                };
            }
        }
    }

    /// Adds a panel's 32 outputs to each of `M` rows, the first of which is `row` and at the front of `out`. Returns
    /// `M`.
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(
        &self,
        simd: S,
        panel: usize,
        row: usize,
        features: &[f32],
        scratch: &HeadScratch,
        out: &mut [f32],
    ) -> usize {
        let sums: [[S::Floats; 2]; M] = match self.weights {
            HeadMatrix::F32(weights) => {
                let width = self.layout.features;
                let weights = &weights[panel * width..(panel + 1) * width];
                float_sums(simd, weights, &self.bias[panel], &features[row * width..])
            }
            HeadMatrix::Int8(weights, scales) => {
                let (width, blocks) = (self.layout.features / 4, self.layout.blocks.len());
                let weights = &weights[panel * width..(panel + 1) * width];
                let numbers = &scratch.numbers[row * width..];
                let blocks = &scratch.blocks[row * blocks..];
                self.int8_sums(simd, weights, &scales[panel..], &self.bias[panel], numbers, blocks)
            }
        };
        for m in 0..M {
            put(simd, sums[m], true, &mut out[m * self.layout.outputs..]);
        }
        M
    }

    /// `scales` begin at the panel's of the first feature block, `numbers` and `blocks` at the first row's.
    #[inline(always)]
    fn int8_sums<S: Simd, const M: usize>(
        &self,
        simd: S,
        weights: &[[u8; 4 * LANES]],
        scales: &[[f32; LANES]],
        bias: &[f32; LANES],
        numbers: &[[i8; 4]],
        blocks: &[(f32, i32)],
    ) -> [[S::Floats; 2]; M] {
        let FoldedLayout { outputs, blocks: ref places, .. } = *self.layout;
        let mut totals = [load(simd, bias); M];
        for (index, &FeatureBlock { at, width }) in places.iter().enumerate() {
            let all = weights.len();
            let weights = &weights[at / 4..(at + width) / 4];
            let numbers: [&[[i8; 4]]; M] = std::array::from_fn(|m| &numbers[m * all + at / 4..][..weights.len()]);
            let mut sums = [S::Sums::zeroed(); M];
            for (k, weights) in weights.iter().enumerate() {
                for m in 0..M {
                    sums[m] = simd.dot(sums[m], weights, numbers[m][k]);
                }
            }
            let scales = load(simd, &scales[index * outputs / LANES]);
            for m in 0..M {
                let (scale, offset) = blocks[m * places.len() + index];
                let scales = scales.map(|weight_scale| simd.multiply(simd.splat(scale), weight_scale));
                let values = both(simd.sums_to_floats(sums[m], offset), scales, |sum, scale| simd.multiply(sum, scale));
                totals[m] = both(totals[m], values, |total, value| simd.add(total, value));
            }
        }
        totals
    }
}

#[inline(always)]
fn float_sums<S: Simd, const M: usize>(
    simd: S,
    weights: &[[f32; LANES]],
    bias: &[f32; LANES],
    features: &[f32],
) -> [[S::Floats; 2]; M] {
    let features: [&[f32]; M] = std::array::from_fn(|m| &features[m * weights.len()..][..weights.len()]);
    let mut sums = [load(simd, bias); M];
    for (k, weights) in weights.iter().enumerate() {
        let weights = load(simd, weights);
        for m in 0..M {
            let feature = simd.splat(features[m][k]);
            sums[m] = both(sums[m], weights, |sum, weight| simd.add(sum, simd.multiply(feature, weight)));
        }
    }
    sums
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
            let features = &features[at..at + width];
            let mut most = [simd.splat(0.0); 2];
            for features in features.as_chunks::<LANES>().0 {
                let features = load(simd, features);
                most = both(most, features, |most, feature| simd.max(most, feature));
                most = both(most, features, |most, feature| simd.max(most, simd.multiply(feature, simd.splat(-1.0))));
            }
            let greatest = math::fold_halves(bytemuck::cast::<_, [f32; LANES]>(most), math::max);
            let scale = simd.splat(math::scale_to(127.0, greatest));
            for (features, numbers) in features.as_chunks::<16>().0.iter().zip(numbers.as_chunks_mut::<16>().0) {
                *numbers = simd.bytes(simd.multiply(simd.load(features), scale));
            }
            // A plain loop: an iterator's sum may become a function, compiled without this level's instructions.
            let mut sum = 0;
            for &number in numbers.iter() {
                sum += i32::from(number);
            }
            scratch.blocks.push((greatest / 127.0, sum * 128));
        }
    }
}
