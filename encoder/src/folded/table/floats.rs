//! Rows of f32 and f16.

use super::{AttentionRows, Kernel, Stretch, load};
use crate::folded::{
    layout::{HEAD_LANES, LANES, Taps},
    simd::{Simd, both},
};

/// 32 floats of a row: f32, or f16 given as bits.
pub(in crate::folded) trait FloatStretch: bytemuck::Pod {
    /// Loads the numbers as f32.
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2];
}

impl FloatStretch for [f32; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        load(simd, self)
    }
}

impl FloatStretch for [u16; LANES] {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S) -> [S::Floats; 2] {
        simd.halves(self)
    }
}

impl<N: FloatStretch> Stretch for N {
    type Sums<S: Simd> = [S::Floats; 2];

    #[inline(always)]
    fn tap<S: Simd>(kernel: Kernel<'_, S, N>, _: &Taps, token: u32, place: usize) -> [S::Floats; 2] {
        kernel.rows[token as usize * kernel.stride + place].load(kernel.simd)
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
    fn head_weights<S: Simd>(
        _: Kernel<'_, S, N>,
        _: &[u32],
        _: &mut [[f32; HEAD_LANES]],
        _: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES] {
        [1.0; HEAD_LANES]
    }

    #[inline(always)]
    fn attended<S: Simd, const G: usize>(
        Kernel { simd, rows, stride }: Kernel<'_, S, N>,
        AttentionRows { ids, powers, lane, .. }: AttentionRows<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for (&id, powers) in ids.iter().zip(powers) {
            let at = id as usize * stride + place;
            let powers = &powers[lane..lane + G];
            let mut numbers = rows[at].load(simd);
            for g in 0..G {
                if step > 0 && g > 0 {
                    numbers = rows[at + g * step].load(simd);
                }
                let power = simd.splat(powers[g]);
                sums[g] = both(sums[g], numbers, |sum, number| simd.add(sum, simd.multiply(number, power)));
            }
        }
        sums
    }

    #[inline(always)]
    fn skip_weights<S: Simd>(_: Kernel<'_, S, N>, _: &[u32], _: &mut [[i16; 2]]) -> f32 {
        1.0
    }

    #[inline(always)]
    fn skips<S: Simd, const G: usize>(
        Kernel { simd, rows, stride }: Kernel<'_, S, N>,
        ids: &[u32],
        _: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G] {
        let mut sums = [[simd.splat(0.0); 2]; G];
        for &id in ids {
            for (g, sums) in sums.iter_mut().enumerate() {
                let numbers = rows[id as usize * stride + place + g].load(simd);
                *sums = both(*sums, numbers, |sum, number| simd.add(sum, number));
            }
        }
        sums
    }
}
