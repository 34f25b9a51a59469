//! The rows of a table in each precision, 32 numbers (a stretch) at a time.

mod floats;
mod int8;

pub(super) use floats::{Floats, Stretch};
pub(super) use int8::Int8;

use super::{
    layout::{HEAD_LANES, LANES, Taps},
    simd::Simd,
};

/// The place of a stretch: the row's start, and the stretch's place in the row, both in stretches.
#[derive(Clone, Copy)]
pub(super) struct StretchPlace {
    pub(super) row: usize,
    pub(super) place: usize,
}

/// The rows of a table, in one of the precisions.
pub(super) trait FoldedTable: Copy {
    /// 32 sums of taps.
    type Sums<S: Simd>: Copy;

    /// The distance from a row to the next, in stretches.
    fn stride(self) -> usize;
    /// 32 numbers of one tap of the convolution `taps`.
    fn tap<S: Simd>(self, simd: S, taps: &Taps, at: StretchPlace) -> Self::Sums<S>;
    /// The sums a + b.
    fn add<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The greater of each two sums.
    fn max<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The sums as floats; `unit` is the value of a sum of 1 (int8 only).
    fn values<S: Simd>(simd: S, sums: Self::Sums<S>, unit: Option<&[f32; LANES]>) -> [S::Floats; 2];
    /// Prefetches a row.
    fn prefetch<S: Simd>(self, simd: S, row: usize);
    /// Turns the exponentials of each head's scores into the weights of the rows of `ids`, at most 128 (int8 only: into
    /// `pairs`). Returns the value of a weight of 1, head by head.
    fn head_weights<S: Simd>(
        self,
        simd: S,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES];
    /// `G` stretches of embeddings, the first at `place` and each `step` after the one before: the sums over the rows,
    /// weighted for `G` heads.
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        rows: AttentionRows<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G];
    /// Writes the weights of the skips of `ids`, two by two, and returns the value of a weight of 1 (int8 only; else
    /// 1).
    fn skip_weights(self, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32;
    /// `G` stretches from `place` on, each the weighted sum over the rows, at most 128.
    fn skips<S: Simd, const G: usize>(self, simd: S, rows: SkipRows<'_>, place: usize) -> [[S::Floats; 2]; G];
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

/// Rows, and the weights of their skips, two rows side by side (int8 only).
#[derive(Clone, Copy)]
pub(super) struct SkipRows<'a> {
    pub(super) ids: &'a [u32],
    pub(super) pairs: &'a [[i16; 2]],
}

/// Loads 32 floats as vectors.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, numbers: &[f32; LANES]) -> [S::Floats; 2] {
    let [low, high, ..] = numbers.as_chunks::<16>().0 else { unreachable!("32 numbers") };
    [simd.load(low), simd.load(high)]
}

/// Stores 32 floats.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, numbers: [S::Floats; 2], to: &mut [f32; LANES]) {
    for (to, numbers) in to.as_chunks_mut::<16>().0.iter_mut().zip(numbers) {
        simd.store(numbers, to);
    }
}
