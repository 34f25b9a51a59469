//! Rows of int8, summed in integers.
//!
//! A row begins with its scales: the embedding's (f32), the skip's (f32), then a factor for each convolution (u8). A
//! tap's number is worth `number · factor · unit`. The factor is the row's, a power of two; the unit is the filter's.
//! So the taps of a filter add up as integers, and rows of small numbers keep their precision.

use bytemuck::Zeroable;

use super::{AttentionRows, Kernel, Stretch, load};
use crate::folded::{
    layout::{HEAD_LANES, LANES, Taps},
    math,
    simd::{Simd, both},
};

/// The greatest weight of a row: the sum of 128 rows of ±127, each times this weight, fits an i32.
const GREATEST_WEIGHT: f32 = 32_767.0;

impl<S: Simd> Kernel<'_, S, [i8; LANES]> {
    #[inline(always)]
    fn float(self, id: u32, at: usize) -> f32 {
        let head = &self.rows[id as usize * self.stride];
        f32::from_le_bytes([head[at] as u8, head[at + 1] as u8, head[at + 2] as u8, head[at + 3] as u8])
    }

    /// `G` stretches, each `step` after the one before: the weighted sums over the rows of `ids`. `weights(k, g)` are
    /// the weights of the rows 2k and 2k + 1 in stretch g. An odd last row is its own neighbour, with the weight 0.
    #[inline(always)]
    fn weighed<const G: usize>(
        self,
        ids: &[u32],
        place: usize,
        step: usize,
        weights: impl Fn(usize, usize) -> [i16; 2],
    ) -> [[S::Floats; 2]; G] {
        let simd = self.simd;
        let mut sums = [S::Sums::zeroed(); G];
        let most = (G - 1) * step + 1;
        for (k, ids) in ids.chunks(2).enumerate() {
            let other = if ids.len() == 2 { ids[1] } else { ids[0] };
            let [row, other] = [ids[0], other].map(|id| id as usize * self.stride + place);
            let (row, other) = (&self.rows[row..row + most], &self.rows[other..other + most]);
            let mut pairs = simd.pair(&row[0], &other[0]);
            for g in 0..G {
                if step > 0 && g > 0 {
                    pairs = simd.pair(&row[g * step], &other[g * step]);
                }
                sums[g] = simd.weigh(sums[g], pairs, weights(k, g));
            }
        }
        let mut floats = [[simd.splat(0.0); 2]; G];
        for g in 0..G {
            floats[g] = simd.weighed_to_floats(sums[g]);
        }
        floats
    }
}

impl Stretch for [i8; LANES] {
    type Sums<S: Simd> = S::Shorts;

    #[inline(always)]
    fn tap<S: Simd>(kernel: Kernel<'_, S, Self>, taps: &Taps, token: u32, place: usize) -> S::Shorts {
        let row = token as usize * kernel.stride;
        let factor = i16::from(kernel.rows[row + taps.factor_at / LANES][taps.factor_at % LANES]);
        kernel.simd.shorts(&kernel.rows[row + place], factor)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: S::Shorts, b: S::Shorts) -> S::Shorts {
        simd.add_shorts(a, b)
    }

    #[inline(always)]
    fn max<S: Simd>(simd: S, a: S::Shorts, b: S::Shorts) -> S::Shorts {
        simd.max_shorts(a, b)
    }

    #[inline(always)]
    fn values<S: Simd>(simd: S, sums: S::Shorts, unit: Option<&[f32; LANES]>) -> [S::Floats; 2] {
        let values = simd.shorts_to_floats(sums);
        match unit {
            Some(unit) => both(values, load(simd, unit), |value, unit| simd.multiply(value, unit)),
            None => values,
        }
    }

    #[inline(always)]
    fn head_weights<S: Simd>(
        kernel: Kernel<'_, S, Self>,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES] {
        let simd = kernel.simd;
        let mut most = simd.splat(0.0);
        for (&id, powers) in ids.iter().zip(&mut *powers) {
            // A scale is negative only in a damaged file.
            let weights = simd.multiply(simd.load(powers), simd.splat(kernel.float(id, 0).abs()));
            most = simd.max(most, weights);
            *powers = bytemuck::cast(weights);
        }
        let greatest: [f32; HEAD_LANES] = bytemuck::cast(most);
        let mut inverse = [0.0; HEAD_LANES];
        for (inverse, &greatest) in inverse.iter_mut().zip(&greatest) {
            *inverse = math::scale_to(GREATEST_WEIGHT, greatest);
        }
        let inverse = simd.load(&inverse);
        for (powers, pairs) in powers.chunks(2).zip(pairs) {
            let first = simd.multiply(simd.load(&powers[0]), inverse);
            let second = match powers.get(1) {
                Some(powers) => simd.multiply(simd.load(powers), inverse),
                None => simd.splat(0.0),
            };
            *pairs = simd.short_pairs(first, second);
        }
        let mut units = greatest;
        units.iter_mut().for_each(|unit| *unit *= 1.0 / GREATEST_WEIGHT);
        units
    }

    #[inline(always)]
    fn attended<S: Simd, const G: usize>(
        kernel: Kernel<'_, S, Self>,
        AttentionRows { ids, pairs, lane, .. }: AttentionRows<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G] {
        kernel.weighed(ids, place, step, |k, g| pairs[k][lane + g])
    }

    #[inline(always)]
    fn skip_weights<S: Simd>(kernel: Kernel<'_, S, Self>, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32 {
        let mut greatest = 0.0;
        for &id in ids {
            greatest = math::max(greatest, kernel.float(id, 4));
        }
        let inverse = math::scale_to(GREATEST_WEIGHT, greatest);
        let weight = |id| math::round(kernel.float(id, 4) * inverse) as i16;
        for (ids, pair) in ids.chunks(2).zip(pairs) {
            *pair = [weight(ids[0]), if ids.len() == 2 { weight(ids[1]) } else { 0 }];
        }
        greatest / GREATEST_WEIGHT
    }

    #[inline(always)]
    fn skips<S: Simd, const G: usize>(
        kernel: Kernel<'_, S, Self>,
        ids: &[u32],
        pairs: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G] {
        kernel.weighed(ids, place, 1, |k, _| pairs[k])
    }
}
