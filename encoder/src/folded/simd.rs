//! The only `unsafe` here: mapping a file, and running code under the instructions that the machine has.
//!
//! Work is written once, as a [`Work`] whose `run` is generic over [`Int8Dot`] and inlined into one function a level. The
//! compiler then vectorises its plain loops for that level; only the int8 dot product is written with intrinsics, and
//! integer sums are exact, so every level gives the same bits.

#![allow(unsafe_code)]

use std::{fs::File, io};

use memmap2::Mmap;

/// Maps a whole file, read-only.
pub fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private to this crate and read-only. As with every mapping, the file must not be cut short
    // while it is open; the crate's own writer never changes a file in place but renames a new one over it.
    unsafe { Mmap::map(file) }
}

/// How a level multiplies int8 numbers.
pub trait Int8Dot: Copy {
    /// 32 sums.
    type Sums: Copy;
    /// All zero.
    fn zero(self) -> Self::Sums;
    /// Adds to each sum `j` the product of `weights[4j..4j + 4]` (unsigned) and `activations` (signed).
    fn add(self, sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums;
    /// The sums as numbers.
    fn sums(self, sums: Self::Sums) -> [i32; 32];
}

/// Something to run under a level's instructions. `run` has to be `#[inline(always)]`, as all that it calls.
pub trait Work {
    /// Does it.
    fn run<D: Int8Dot>(self, dot: D);
}

/// Plain Rust, on any machine.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Int8Dot for Portable {
    type Sums = [i32; 32];

    #[inline(always)]
    fn zero(self) -> [i32; 32] {
        [0; 32]
    }

    #[inline(always)]
    fn add(self, mut sums: [i32; 32], weights: &[u8; 128], activations: [i8; 4]) -> [i32; 32] {
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            for (&weight, activation) in weights.iter().zip(activations) {
                *sum += i32::from(weight) * i32::from(activation);
            }
        }
        sums
    }

    #[inline(always)]
    fn sums(self, sums: [i32; 32]) -> [i32; 32] {
        sums
    }
}

/// A set of instructions that this machine has. A value of an x86 level exists only where it was detected.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(x86::AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Level {
    /// The levels of this machine, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        levels.extend(x86::detect());
        levels
    }

    /// The best level of this machine.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }

    /// Runs `work` under this level's instructions.
    pub fn run(self, work: impl Work) {
        match self {
            Self::Portable => work.run(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY (all three): the level is a value of its type, which `x86::detect` makes only after it has seen that the
            // machine has every instruction set that the function is compiled for.
            Self::Avx2(level) => unsafe { x86::run_avx2(work, level) },
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(level) => unsafe { x86::run_avx_vnni(work, level) },
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(level) => unsafe { x86::run_avx512(work, level) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Int8Dot, Level, Work};

    /// AVX2 was detected.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2(());
    /// AVX2 and AVX-VNNI were detected.
    #[derive(Debug, Clone, Copy)]
    pub struct AvxVnni(());
    /// AVX-512 F, BW, DQ, VL and VNNI were detected.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx512(());

    pub fn detect() -> Vec<Level> {
        let mut levels = Vec::new();
        if is_x86_feature_detected!("avx2") {
            levels.push(Level::Avx2(Avx2(())));
            if is_x86_feature_detected!("avxvnni") {
                levels.push(Level::AvxVnni(AvxVnni(())));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                levels.push(Level::Avx512(Avx512(())));
            }
        }
        levels
    }

    #[target_feature(enable = "avx2")]
    pub fn run_avx2(work: impl Work, level: Avx2) {
        work.run(level);
    }

    #[target_feature(enable = "avx2,avxvnni")]
    pub fn run_avx_vnni(work: impl Work, level: AvxVnni) {
        work.run(level);
    }

    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub fn run_avx512(work: impl Work, level: Avx512) {
        work.run(level);
    }

    // In all `unsafe` below: `self` proves that the instructions exist (see `detect`), and loads and stores are of whole
    // arrays whose lengths the types give; the unaligned forms need no alignment.

    impl Int8Dot for Avx512 {
        type Sums = [__m512i; 2];

        #[inline(always)]
        fn zero(self) -> Self::Sums {
            // SAFETY: see above.
            unsafe { [_mm512_setzero_si512(); 2] }
        }

        #[inline(always)]
        fn add(self, sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums {
            // SAFETY: see above; the two loads cover the 128 bytes.
            unsafe {
                let activations = _mm512_set1_epi32(i32::from_le_bytes(activations.map(|a| a as u8)));
                let low = _mm512_loadu_si512(weights.as_ptr().cast());
                let high = _mm512_loadu_si512(weights.as_ptr().add(64).cast());
                [_mm512_dpbusd_epi32(sums[0], low, activations), _mm512_dpbusd_epi32(sums[1], high, activations)]
            }
        }

        #[inline(always)]
        fn sums(self, sums: Self::Sums) -> [i32; 32] {
            let mut numbers = [0; 32];
            for (numbers, sums) in numbers.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
                // SAFETY: see above; 16 numbers are 64 bytes.
                unsafe { _mm512_storeu_si512(numbers.as_mut_ptr().cast(), sums) }
            }
            numbers
        }
    }

    impl Int8Dot for AvxVnni {
        type Sums = [__m256i; 4];

        #[inline(always)]
        fn zero(self) -> Self::Sums {
            // SAFETY: see above.
            unsafe { [_mm256_setzero_si256(); 4] }
        }

        #[inline(always)]
        fn add(self, mut sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums {
            for (sums, weights) in sums.iter_mut().zip(weights.as_chunks::<32>().0) {
                // SAFETY: see above; a load covers 32 bytes.
                unsafe {
                    let activations = _mm256_set1_epi32(i32::from_le_bytes(activations.map(|a| a as u8)));
                    *sums = _mm256_dpbusd_avx_epi32(*sums, _mm256_loadu_si256(weights.as_ptr().cast()), activations);
                }
            }
            sums
        }

        #[inline(always)]
        fn sums(self, sums: Self::Sums) -> [i32; 32] {
            store(sums)
        }
    }

    impl Int8Dot for Avx2 {
        type Sums = [__m256i; 4];

        #[inline(always)]
        fn zero(self) -> Self::Sums {
            // SAFETY: see above.
            unsafe { [_mm256_setzero_si256(); 4] }
        }

        /// `vpmaddubsw` would saturate, so the bytes are widened first: even ones by a mask, odd ones by a shift.
        #[inline(always)]
        fn add(self, mut sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums {
            let pair = |a: i8, b: i8| (i32::from(a) & 0xffff) | (i32::from(b) << 16);
            let [a, b, c, d] = activations;
            for (sums, weights) in sums.iter_mut().zip(weights.as_chunks::<32>().0) {
                // SAFETY: see above; a load covers 32 bytes.
                unsafe {
                    let weights = _mm256_loadu_si256(weights.as_ptr().cast());
                    let even = _mm256_and_si256(weights, _mm256_set1_epi16(0xff));
                    let odd = _mm256_srli_epi16::<8>(weights);
                    let even = _mm256_madd_epi16(even, _mm256_set1_epi32(pair(a, c)));
                    let odd = _mm256_madd_epi16(odd, _mm256_set1_epi32(pair(b, d)));
                    *sums = _mm256_add_epi32(*sums, _mm256_add_epi32(even, odd));
                }
            }
            sums
        }

        #[inline(always)]
        fn sums(self, sums: Self::Sums) -> [i32; 32] {
            store(sums)
        }
    }

    #[inline(always)]
    fn store(sums: [__m256i; 4]) -> [i32; 32] {
        let mut numbers = [0; 32];
        for (numbers, sums) in numbers.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: only the AVX2 levels above call this; 8 numbers are 32 bytes.
            unsafe { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), sums) }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a> {
        weights: &'a [[u8; 128]],
        activations: &'a [[i8; 4]],
        to: &'a mut [i32; 32],
    }

    impl Work for Sums<'_> {
        #[inline(always)]
        fn run<D: Int8Dot>(self, dot: D) {
            let mut sums = dot.zero();
            for (weights, &activations) in self.weights.iter().zip(self.activations) {
                sums = dot.add(sums, weights, activations);
            }
            *self.to = dot.sums(sums);
        }
    }

    #[test]
    fn every_level_gives_the_portable_sums_at_the_extremes_too() {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        let mut weights: Vec<[u8; 128]> = (0..50).map(|_| std::array::from_fn(|_| next())).collect();
        let mut activations: Vec<[i8; 4]> = (0..50).map(|_| std::array::from_fn(|_| next() as i8)).collect();
        weights[..4].copy_from_slice(&[[255; 128], [255; 128], [0; 128], [255; 128]]);
        activations[..4].copy_from_slice(&[[127; 4], [-127; 4], [127; 4], [-128; 4]]);
        let expected: [i32; 32] = std::array::from_fn(|j| {
            let products = |(w, a): (&[u8; 128], &[i8; 4])| -> i32 {
                (0..4).map(|k| i32::from(w[4 * j + k]) * i32::from(a[k])).sum()
            };
            weights.iter().zip(&activations).map(products).sum()
        });
        for level in Level::available() {
            let mut to = [0; 32];
            level.run(Sums { weights: &weights, activations: &activations, to: &mut to });
            assert_eq!(to, expected, "{level:?}");
        }
    }
}
