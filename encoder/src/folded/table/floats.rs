//! Rows of f32 and f16.

use super::{AttentionRows, FoldedTable, SkipRows, StretchPlace, load};
use crate::folded::{
    layout::{HEAD_LANES, LANES, Taps},
    simd::{Simd, both},
};

/// 32 floats of a row: f32, or f16 given as bits.
pub(in crate::folded) trait Stretch: Copy {
    /// Loads the numbers as f32.
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2];
    /// Prefetches the numbers.
    fn prefetch<S: Simd>(&self, simd: S);
}

impl Stretch for [f32; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        load(simd, self)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S) {
        simd.prefetch(self);
        simd.prefetch(&self[LANES / 2]);
    }
}

impl Stretch for [u16; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        simd.halves(self)
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S) {
        simd.prefetch(self);
    }
}

/// Rows of f32 or f16.
#[derive(Clone, Copy)]
pub(in crate::folded) struct Floats<'a, N> {
    pub(in crate::folded) rows: &'a [N],
    pub(in crate::folded) stride: usize,
}

impl<N: Stretch> FoldedTable for Floats<'_, N> {
    type Sums<S: Simd> = [S::Floats; 2];

    #[inline(always)]
    fn stride(self) -> usize {
        self.stride
    }

    #[inline(always)]
    fn tap<S: Simd>(self, simd: S, _: &Taps, at: StretchPlace) -> [S::Floats; 2] {
        self.rows[at.row + at.place].load(simd)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: [S::Floats; 2], b: [S::Floats; 2]) -> [S::Floats; 2] {
        both(a, b, |a, b| simd.add(a, b))
    }

    #[inline(always)]
    fn max<S: Simd>(simd: S, a: [S::Floats; 2], b: [S::Floats; 2]) -> [S::Floats; 2] {
        both(a, b, |a, b| simd.max(a, b))
    }

    #[inline(always)]
    fn values<S: Simd>(_: S, sums: [S::Floats; 2], _: Option<&[f32; LANES]>) -> [S::Floats; 2] {
        sums
    }

    #[inline(always)]
    fn prefetch<S: Simd>(self, simd: S, row: usize) {
        for stretch in &self.rows[row..row + self.stride] {
            stretch.prefetch(simd);
        }
    }

    #[inline(always)]
    fn head_weights<S: Simd>(
        self,
        _: S,
        _: &[u32],
        _: &mut [[f32; HEAD_LANES]],
        _: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES] {
        [1.0; HEAD_LANES]
    }

    #[inline(always)]
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        AttentionRows { ids, powers, lane, .. }: AttentionRows<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for (&id, powers) in ids.iter().zip(powers) {
            let at = id as usize * self.stride + place;
            let powers = &powers[lane..lane + G];
            let mut numbers = self.rows[at].load(simd);
            for g in 0..G {
                if step > 0 && g > 0 {
                    numbers = self.rows[at + g * step].load(simd);
                }
                let power = simd.splat(powers[g]);
                sums[g] = both(sums[g], numbers, |sum, number| simd.add(sum, simd.multiply(number, power)));
            }
        }
        sums
    }

    #[inline(always)]
    fn skip_weights(self, _: &[u32], _: &mut [[i16; 2]]) -> f32 {
        1.0
    }

    #[inline(always)]
    fn skips<S: Simd, const G: usize>(self, simd: S, rows: SkipRows<'_>, place: usize) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for &id in rows.ids {
            for (g, sums) in sums.iter_mut().enumerate() {
                let numbers = self.rows[id as usize * self.stride + place + g].load(simd);
                *sums = both(*sums, numbers, |sum, number| simd.add(sum, number));
            }
        }
        sums
    }
}
