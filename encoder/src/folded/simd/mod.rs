//! The instructions that a machine may have.
//!
//! Work is written once, as a [`SimdWork`] whose `run` is generic over [`Simd`], and inlined into one function for each
//! level. All operations are exact (integers) or correctly rounded (IEEE 754 floats, never fused), and the work fixes
//! the order of its sums, so every level gives the same bits. That rule, and int8 rows summed as integers, are why this
//! crate has SIMD code of its own: no library of vectors or matrix products promises the same bits on every machine.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "intrinsics of instructions that are detected at run time")
)]

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use bytemuck::Pod;

pub(super) use portable::Portable;

/// A level: a set of instructions and the vectors that they work on, of 16 floats, 32 short integers or 32 sums of int8
/// products.
pub(super) trait Simd: Copy {
    /// 16 f32.
    type Floats: Pod;
    /// 32 i16.
    type Shorts: Pod;
    /// 32 i32.
    type Sums: Pod;
    /// 32 int8 numbers of one row and 32 of another, side by side in the level's own order.
    type Pairs: Copy;

    /// Loads 16 floats.
    #[inline(always)]
    fn load(self, numbers: &[f32; 16]) -> Self::Floats {
        bytemuck::cast(*numbers)
    }
    /// The same number sixteen times.
    fn splat(self, number: f32) -> Self::Floats;
    /// a + b
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a · b
    fn multiply(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// b where b > a, else a (also where one is NaN).
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// f16 numbers, given as bits, as floats; exact.
    fn halves(self, numbers: &[u16; 32]) -> [Self::Floats; 2];
    /// Numbers within ±127, rounded to integers, ties to even; NaN becomes 0.
    fn bytes(self, numbers: Self::Floats) -> [i8; 16];
    /// Numbers within ±32,767, rounded to integers, ties to even, each of `a` beside its neighbour of `b`; NaN becomes
    /// 0.
    fn short_pairs(self, a: Self::Floats, b: Self::Floats) -> [[i16; 2]; 16];

    /// Int8 numbers, each times `factor`, modulo 2¹⁶.
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> Self::Shorts;
    /// a + b, modulo 2¹⁶
    fn add_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// The greater of each two.
    fn max_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// The short integers as floats.
    fn shorts_to_floats(self, numbers: Self::Shorts) -> [Self::Floats; 2];

    /// Adds to each sum `j` the products of `weights[4j..4j + 4]` (unsigned) and `activations` (signed).
    fn dot(self, sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums;
    /// Adds to each sum the products of its two weights with two activations: with the first two for the first sixteen
    /// sums, with the other two for the rest. Modulo 2³².
    fn dot_shorts(self, sums: Self::Sums, weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> Self::Sums;
    /// Puts two rows side by side.
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> Self::Pairs;
    /// Adds to each sum the pair at its place, each number times its weight. Only [`Simd::weighed_to_floats`] takes
    /// these sums: their order is the level's own.
    fn weigh(self, sums: Self::Sums, pairs: Self::Pairs, weights: [i16; 2]) -> Self::Sums;
    /// The sums of [`Simd::weigh`], in order, as floats.
    #[inline(always)]
    fn weighed_to_floats(self, sums: Self::Sums) -> [Self::Floats; 2] {
        self.sums_to_floats(sums, 0)
    }
    /// The sums minus `offset` (modulo 2³²), as floats.
    fn sums_to_floats(self, sums: Self::Sums, offset: i32) -> [Self::Floats; 2];
}

/// Work to run with a level's instructions. `run`, and all that it calls, must be `#[inline(always)]`.
pub(super) trait SimdWork {
    /// Does the work.
    fn run<S: Simd>(self, simd: S);
}

/// A level that this machine has. A value of an x86 level exists only where the instructions were detected.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2<false>),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(x86::Avx2<true>),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Level {
    /// The levels of this machine, the best last.
    pub(super) fn available() -> Vec<Self> {
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        x86::detect(&mut levels);
        levels
    }

    /// The best level of this machine.
    pub(super) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Runs `work` with this level's instructions.
    pub(super) fn run(self, work: impl SimdWork) {
        match self {
            Self::Portable => work.run(Portable),
            // SAFETY: `x86::detect` made the level after it saw that the machine has AVX2 and F16C.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(level) => unsafe { x86::run_avx2(work, level) },
            // SAFETY: `x86::detect` made the level after it saw that the machine has AVX2, F16C and AVX-VNNI.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(level) => unsafe { x86::run_avx_vnni(work, level) },
            // SAFETY: `x86::detect` made the level after it saw that the machine has AVX2, F16C and AVX-512 F, BW, DQ,
            // VL and VNNI.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(level) => unsafe { x86::run_avx512(work, level) },
        }
    }
}

/// An operation on each half of two pairs.
#[inline(always)]
pub(super) fn both<A: Copy, B>(a: [A; 2], b: [A; 2], operation: impl Fn(A, A) -> B) -> [B; 2] {
    [operation(a[0], b[0]), operation(a[1], b[1])]
}

/// Prefetches the cache line at `memory`.
#[inline(always)]
pub(super) fn prefetch<T>(memory: &T) {
    // SAFETY: every x86-64 has the instruction, a hint on a valid address that reads nothing.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = memory;
}
