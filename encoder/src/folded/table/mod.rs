//! Rows of the table in each precision, 32 numbers at a time.

mod floats;
mod int8;

pub use floats::{Floats, Stretch};
pub use int8::Int8;

use super::{
    layout::{HEAD_LANES, LANES, Taps},
    simd::Simd,
};

/// Where a stretch of 32 numbers lies: the row's start, and the stretch's place in it, both in stretches.
#[derive(Clone, Copy)]
pub struct At {
    pub row: usize,
    pub place: usize,
}

/// A table of rows.
pub trait Table: Copy {
    /// 32 sums of taps.
    type Sums<S: Simd>: Copy;

    /// From a row to the next, in stretches of 32 numbers.
    fn stride(self) -> usize;
    /// 32 numbers of one tap; `taps` is the convolution that they belong to.
    fn tap<S: Simd>(self, simd: S, taps: &Taps, at: At) -> Self::Sums<S>;
    /// Their sum.
    fn add<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The greater of each two.
    fn max<S: Simd>(simd: S, a: Self::Sums<S>, b: Self::Sums<S>) -> Self::Sums<S>;
    /// The sums as floats; `unit` is what a sum of 1 is worth (int8 only).
    fn values<S: Simd>(simd: S, sums: Self::Sums<S>, unit: Option<&[f32; LANES]>) -> [S::Floats; 2];
    /// Says that a row is wanted soon.
    fn prefetch<S: Simd>(self, simd: S, row: usize);
    /// Turns the powers of each head's scores into what each row weighs among those of `ids` (int8 only: into `pairs`), and returns what
    /// a weight of 1 is worth, head by head. Of at most 128 rows.
    fn head_weights<S: Simd>(
        self,
        simd: S,
        ids: &[u32],
        powers: &mut [[f32; HEAD_LANES]],
        pairs: &mut [[[i16; 2]; HEAD_LANES]],
    ) -> [f32; HEAD_LANES];
    /// `G` stretches of embeddings, the first at `place` and each `step` after the one before it: the sums over the rows of `ids` times
    /// what they weigh with `G` heads.
    fn attended<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        weights: HeadWeights<'_>,
        place: usize,
        step: usize,
    ) -> [[S::Floats; 2]; G];
    /// Writes what each row's skip weighs among those of `ids`, two by two, and returns what a weight of 1 is worth (int8 only; else 1).
    fn skip_weights(self, ids: &[u32], pairs: &mut [[i16; 2]]) -> f32;
    /// `G` stretches from `place` on, each the sum over the rows of `ids` times their weights. Of at most 128 rows.
    fn skips<S: Simd, const G: usize>(
        self,
        simd: S,
        ids: &[u32],
        pairs: &[[i16; 2]],
        place: usize,
    ) -> [[S::Floats; 2]; G];
}

/// What rows weigh with some heads, the first of which has the column `lane`.
#[derive(Clone, Copy)]
pub struct HeadWeights<'a> {
    /// Row by row; of f32 and f16.
    pub powers: &'a [[f32; HEAD_LANES]],
    /// Two rows by two rows; of int8.
    pub pairs: &'a [[[i16; 2]; HEAD_LANES]],
    pub lane: usize,
}

/// 32 floats of memory as vectors.
#[inline(always)]
pub fn load<S: Simd>(simd: S, numbers: &[f32; LANES]) -> [S::Floats; 2] {
    let [low, high, ..] = numbers.as_chunks::<16>().0 else { unreachable!("32 numbers") };
    [simd.load(low), simd.load(high)]
}

/// 32 floats to memory.
#[inline(always)]
pub fn store<S: Simd>(simd: S, numbers: [S::Floats; 2], to: &mut [f32; LANES]) {
    for (to, numbers) in to.as_chunks_mut::<16>().0.iter_mut().zip(numbers) {
        simd.store(numbers, to);
    }
}

/// An operation on both halves.
#[inline(always)]
pub fn both<V: Copy>(a: [V; 2], b: [V; 2], operation: impl Fn(V, V) -> V) -> [V; 2] {
    [operation(a[0], b[0]), operation(a[1], b[1])]
}
