//! The rows of a table in each precision, a [`Stretch`] of 32 numbers at a time.

mod floats;
mod int8;

use bytemuck::Pod;

pub(super) use self::floats::FloatStretch;
use super::{
    layout::{HEAD_LANES, LANES, Taps},
    simd::Simd,
};

/// The instructions and the table of every computation on a sentence.
#[derive(Clone, Copy)]
pub(super) struct Kernel<'a, S, N> {
    pub(super) simd: S,
    /// The table's rows, stretch by stretch.
    pub(super) rows: &'a [N],
    /// The distance from a row to the next, in stretches.
    pub(super) stride: usize,
}

/// 32 numbers of a row (a stretch), in one of the precisions. Places in a row are counted in stretches.
pub(super) trait Stretch: Pod {
    /// 32 sums of taps.
    type Sums<S: Simd>: Copy;

    /// 32 numbers of one tap of the convolution `taps`, from a token's row.
    fn tap<S: Simd>(kernel: Kernel<'_, S, Self>, taps: &Taps, token: u32, place: usize) -> Self::Sums<S>;
    /// The sums a + b.
    fn add<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The greater of each two sums.
    fn max<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The sums as floats; `unit` is the value of a sum of 1 (int8 only).
    fn values<S: Simd>(simd: S, sums: Self::Sums<S>, unit: Option<&[f32; LANES]>) -> [S::Floats; 2];
    /// Turns the exponentials of each head's scores into the weights of the rows of `ids`, at most 128 (int8 only: into
    /// `pairs`). Returns the value of a weight of 1, head by head.
    fn head_weights<S: Simd>(
        kernel: Kernel<'_, S, Self>,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES];
    /// `G` stretches of embeddings, the first at `place` and each `step` after the one before: the sums over the rows,
    /// weighted for `G` heads.
    fn attended<S: Simd, const G: usize>(
        kernel: Kernel<'_, S, Self>,
        rows: AttentionRows<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G];
    /// Writes the weights of the skips of `ids`, two by two, and returns the value of a weight of 1 (int8 only; else
    /// 1).
    fn skip_weights<S: Simd>(kernel: Kernel<'_, S, Self>, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32;
    /// `G` stretches from `place` on, each the sum over the rows of `ids`, at most 128, weighted by `pairs` (int8
    /// only).
    fn skips<S: Simd, const G: usize>(
        kernel: Kernel<'_, S, Self>,
        ids: &[u32],
        pairs: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G];
}

/// Rows, and their weights for some heads, the first of which has the column `lane`.
#[derive(Clone, Copy)]
pub(super) struct AttentionRows<'a> {
    pub(super) ids: &'a [u32],
    /// Row by row; in f32 and f16.
    pub(super) powers: &'a [[f32; HEAD_LANES]],
    /// Two rows side by side; in int8.
    pub(super) pairs: &'a [[[i16; 2]; HEAD_LANES]],
    pub(super) lane: usize,
}

/// Loads 32 floats as vectors.
#[inline(always)]
pub(super) fn load<S: Simd>(_: S, numbers: &[f32; LANES]) -> [S::Floats; 2] {
    bytemuck::cast(*numbers)
}
