//! The only `unsafe` here: mapping a file, and the instructions that a machine may have.
//!
//! Work is written once, as a [`Work`] whose `run` is generic over [`Simd`] and inlined into one function a level. All operations are
//! exact (integers) or correctly rounded (IEEE 754 floats, never fused), and the order of sums is the work's own, so every level gives
//! the same bits.

#![allow(unsafe_code)]

use std::{fs::File, io};

use memmap2::Mmap;

use super::math;

#[cfg(target_arch = "x86_64")]
mod x86;

/// Maps a whole file, read-only.
pub fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is private to this crate and read-only. As with every mapping, the file must not be changed while
    // it is open, which `Student::load` says to its callers; the crate's own writer never changes a file in place but renames a new one
    // over it. Bytes are read as plain numbers only, each in bounds that were checked, so that other bytes would give other vectors and no more.
    unsafe { Mmap::map(file) }
}

/// The vectors of one set of instructions: 16 floats, 32 short integers, 32 sums of int8 products.
pub trait Simd: Copy {
    /// 16 f32.
    type Floats: Copy;
    /// 32 i16.
    type Shorts: Copy;
    /// 32 i32.
    type Sums: Copy;
    /// 32 numbers of one row and 32 of another, side by side as the level wants them.
    type Pairs: Copy;

    /// From memory.
    fn load(self, numbers: &[f32; 16]) -> Self::Floats;
    /// To memory.
    fn store(self, numbers: Self::Floats, to: &mut [f32; 16]);
    /// Sixteen times the same.
    fn splat(self, number: f32) -> Self::Floats;
    /// a + b
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a − b
    fn subtract(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a · b
    fn multiply(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// b where b > a, else (also where one is NaN) a.
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// f16 numbers, given as their bits, as floats; exact.
    fn halves(self, numbers: &[u16; 32]) -> [Self::Floats; 2];
    /// Rounded to whole numbers, ties to even; NaN becomes 0. The numbers lie within ±127.
    fn bytes(self, numbers: Self::Floats) -> [i8; 16];
    /// Rounded likewise, each of `a` beside its fellow of `b`. The numbers lie within ±32,767.
    fn short_pairs(self, a: Self::Floats, b: Self::Floats) -> [[i16; 2]; 16];
    /// Says that this memory is wanted soon.
    fn prefetch<T>(self, memory: &T);

    /// Int8 numbers, each times `factor`.
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> Self::Shorts;
    /// From memory.
    fn load_shorts(self, numbers: &[i16; 32]) -> Self::Shorts;
    /// To memory.
    fn store_shorts(self, numbers: Self::Shorts, to: &mut [i16; 32]);
    /// a + b, modulo 2¹⁶
    fn add_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// The greater ones.
    fn max_shorts(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts;
    /// As floats.
    fn shorts_to_floats(self, numbers: Self::Shorts) -> [Self::Floats; 2];

    /// All zero.
    fn no_sums(self) -> Self::Sums;
    /// Adds to each sum `j` the products of `weights[4j..4j + 4]` (unsigned) and `activations` (signed).
    fn dot(self, sums: Self::Sums, weights: &[u8; 128], activations: [i8; 4]) -> Self::Sums;
    /// Adds to each sum the products of its two weights with two activations: the first two of them for the first sixteen sums, the other
    /// two for the rest. Modulo 2³².
    fn dot_shorts(self, sums: Self::Sums, weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> Self::Sums;
    /// Two rows side by side.
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> Self::Pairs;
    /// Adds to each sum the pair at its place, either number times its weight. What comes of it is for [`Simd::weighed_to_floats`] alone:
    /// the sums' order is the level's own.
    fn weigh(self, sums: Self::Sums, pairs: Self::Pairs, weights: [i16; 2]) -> Self::Sums;
    /// The sums that [`Simd::weigh`] made, in order, as floats.
    fn weighed_to_floats(self, sums: Self::Sums) -> [Self::Floats; 2];
    /// The sums less `offset` (modulo 2³²), as floats.
    fn sums_to_floats(self, sums: Self::Sums, offset: i32) -> [Self::Floats; 2];
}

/// Something to run under a level's instructions. `run` has to be `#[inline(always)]`, as all that it calls.
pub trait Work {
    /// Does it.
    fn run<S: Simd>(self, simd: S);
}

/// Plain Rust, on any machine: what the other levels have to equal.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type Floats = [f32; 16];
    type Shorts = [i16; 32];
    type Sums = [i32; 32];
    type Pairs = [[i8; 32]; 2];

    #[inline(always)]
    fn load(self, numbers: &[f32; 16]) -> [f32; 16] {
        *numbers
    }

    #[inline(always)]
    fn store(self, numbers: [f32; 16], to: &mut [f32; 16]) {
        *to = numbers;
    }

    #[inline(always)]
    fn splat(self, number: f32) -> [f32; 16] {
        [number; 16]
    }

    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn subtract(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn multiply(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn max(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| if b[i] > a[i] { b[i] } else { a[i] })
    }

    #[inline(always)]
    fn halves(self, numbers: &[u16; 32]) -> [[f32; 16]; 2] {
        [0, 16].map(|half| std::array::from_fn(|i| math::half(numbers[half + i])))
    }

    #[inline(always)]
    fn bytes(self, numbers: [f32; 16]) -> [i8; 16] {
        numbers.map(|number| math::round(number) as i8)
    }

    #[inline(always)]
    fn short_pairs(self, a: [f32; 16], b: [f32; 16]) -> [[i16; 2]; 16] {
        std::array::from_fn(|i| [a[i], b[i]].map(|number| math::round(number) as i16))
    }

    #[inline(always)]
    fn prefetch<T>(self, _: &T) {}

    #[inline(always)]
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> [i16; 32] {
        numbers.map(|number| i16::from(number).wrapping_mul(factor))
    }

    #[inline(always)]
    fn load_shorts(self, numbers: &[i16; 32]) -> [i16; 32] {
        *numbers
    }

    #[inline(always)]
    fn store_shorts(self, numbers: [i16; 32], to: &mut [i16; 32]) {
        *to = numbers;
    }

    #[inline(always)]
    fn add_shorts(self, a: [i16; 32], b: [i16; 32]) -> [i16; 32] {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn max_shorts(self, a: [i16; 32], b: [i16; 32]) -> [i16; 32] {
        std::array::from_fn(|i| a[i].max(b[i]))
    }

    #[inline(always)]
    fn shorts_to_floats(self, numbers: [i16; 32]) -> [[f32; 16]; 2] {
        [0, 16].map(|half| std::array::from_fn(|i| f32::from(numbers[half + i])))
    }

    #[inline(always)]
    fn no_sums(self) -> [i32; 32] {
        [0; 32]
    }

    #[inline(always)]
    fn dot(self, mut sums: [i32; 32], weights: &[u8; 128], activations: [i8; 4]) -> [i32; 32] {
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<4>().0) {
            for (&weight, activation) in weights.iter().zip(activations) {
                *sum += i32::from(weight) * i32::from(activation);
            }
        }
        sums
    }

    #[inline(always)]
    fn dot_shorts(self, mut sums: [i32; 32], weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> [i32; 32] {
        for (j, (sum, weights)) in sums.iter_mut().zip(weights).enumerate() {
            for (k, &weight) in weights.iter().enumerate() {
                *sum = sum.wrapping_add(i32::from(weight) * i32::from(activations[j / 16][k]));
            }
        }
        sums
    }

    #[inline(always)]
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [[i8; 32]; 2] {
        [*a, *b]
    }

    #[inline(always)]
    fn weigh(self, mut sums: [i32; 32], [a, b]: [[i8; 32]; 2], weights: [i16; 2]) -> [i32; 32] {
        let [weight_a, weight_b] = weights.map(i32::from);
        for (sum, (a, b)) in sums.iter_mut().zip(a.into_iter().zip(b)) {
            *sum += i32::from(a) * weight_a + i32::from(b) * weight_b;
        }
        sums
    }

    #[inline(always)]
    fn weighed_to_floats(self, sums: [i32; 32]) -> [[f32; 16]; 2] {
        self.sums_to_floats(sums, 0)
    }

    #[inline(always)]
    fn sums_to_floats(self, sums: [i32; 32], offset: i32) -> [[f32; 16]; 2] {
        [0, 16].map(|half| std::array::from_fn(|i| sums[half + i].wrapping_sub(offset) as f32))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random.
    fn numbers<T, const N: usize>(seed: u64, make: impl Fn(u64) -> T) -> [T; N] {
        let mut state = seed;
        std::array::from_fn(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            make(state >> 33)
        })
    }

    /// Every operation once, its results as bits.
    struct All<'a>(u64, &'a mut Vec<u32>);

    impl Work for All<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let Self(seed, bits) = self;
            let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-45, f32::MAX, 1.0, -1.5];
            let float = |n: u64| if n.is_multiple_of(5) { special[n as usize / 5 % 8] } else { n as f32 / 1e6 - 500.0 };
            let (a, b) = (s.load(&numbers(seed, float)), s.load(&numbers(seed + 1, float)));
            let shorts = |seed, factor| s.shorts(&numbers(seed, |n| n as i8), factor);
            let (c, d) = (shorts(seed, 16), shorts(seed + 2, -3));
            let mut sums = s.no_sums();
            for k in 0..40 {
                let weights = numbers(seed + k, |n| if k < 3 { 255 } else { n as u8 });
                let activations = if k % 7 < 3 { [127, -127, -128, 127] } else { numbers(seed + 9 + k, |n| n as i8) };
                sums = s.dot(sums, &weights, activations);
            }
            let mut weighed = s.no_sums();
            for k in 0..64 {
                let two: [[i8; 32]; 2] = [numbers(seed + k, |n| n as i8), numbers(seed + 5 + k, |n| n as i8)];
                let weights = if k % 3 == 0 { [32_767, -32_767] } else { numbers(seed + k, |n| n as i16) };
                weighed = s.weigh(weighed, s.pair(&two[0], &two[1]), weights);
            }
            let mut products = s.no_sums();
            for k in 0..48 {
                let weights = numbers(seed + k, |n| [n as i16, (n >> 16) as i16]);
                let random = numbers(seed + 3 + k, |n| [n as i16, (n >> 16) as i16]);
                let activations = if k % 5 == 0 { [[32_767, -32_768], [0, 1]] } else { random };
                products = s.dot_shorts(products, &weights, &activations);
            }
            let mut kept = [0; 32];
            s.store_shorts(s.add_shorts(c, s.load_shorts(&numbers(seed, |n| n as i16))), &mut kept);
            bits.extend(kept.map(|number| number as u32));
            let results = [
                [s.add(a, b), s.subtract(a, b)],
                [s.multiply(a, b), s.max(a, b)],
                [s.splat(3.25), a],
                s.halves(&numbers(seed + 4, |n| n as u16)),
                s.shorts_to_floats(s.add_shorts(c, d)),
                s.shorts_to_floats(s.max_shorts(c, d)),
                s.weighed_to_floats(weighed),
                s.sums_to_floats(sums, -12_345),
                s.sums_to_floats(sums, i32::MIN),
                s.sums_to_floats(products, 0),
            ];
            let mut within = numbers(seed, |n| (n as f32 / 1e4) % 127.4 * if n.is_multiple_of(2) { -1.0 } else { 1.0 });
            within[3..8].copy_from_slice(&[f32::NAN, 127.0, -127.0, 0.5, -1.5]);
            bits.extend(s.bytes(s.load(&within)).map(|byte| byte as u32));
            let wide = within.map(|number| number * 258.0);
            let pairs = s.short_pairs(s.load(&wide), s.multiply(s.load(&wide), s.splat(-0.75)));
            bits.extend(pairs.as_flattened().iter().map(|&short| short as u32));
            for floats in results.as_flattened() {
                let mut numbers = [0.0f32; 16];
                s.store(*floats, &mut numbers);
                // Which NaN comes out of ∞ − ∞ is the machine's choice.
                bits.extend(numbers.map(|number| if number.is_nan() { 1 } else { number.to_bits() }));
            }
        }
    }

    #[test]
    fn every_level_gives_the_portable_bits() {
        for seed in 0..200 {
            let mut expected = Vec::new();
            Level::Portable.run(All(seed, &mut expected));
            for level in Level::available() {
                let mut bits = Vec::new();
                level.run(All(seed, &mut bits));
                assert_eq!(bits, expected, "{level:?}, seed {seed}");
            }
        }
    }

    #[test]
    fn every_half_is_the_float_of_its_value() {
        for first in (0..=u16::MAX).step_by(32) {
            let bits: [u16; 32] = std::array::from_fn(|i| first + i as u16);
            for (bits, float) in bits.into_iter().zip(Portable.halves(&bits).as_flattened()) {
                let expected = half::f16::from_bits(bits).to_f32();
                assert!(float.to_bits() == expected.to_bits() || float.is_nan() && expected.is_nan(), "{bits:04x}");
            }
        }
    }

    #[test]
    fn a_weighed_sum_is_the_sum_of_its_products() {
        let (a, b) = (numbers(3, |n| n as i8), numbers(4, |n| n as i8));
        let sums = Portable.weigh([7; 32], Portable.pair(&a, &b), [-300, 32_767]);
        let expected: [i32; 32] = std::array::from_fn(|j| 7 - 300 * i32::from(a[j]) + 32_767 * i32::from(b[j]));
        assert_eq!(sums, expected);
        assert_eq!(Portable.weighed_to_floats(sums).as_flattened(), expected.map(|sum| sum as f32));
    }

    #[test]
    fn a_dot_product_of_shorts_takes_two_activations_for_each_half() {
        let (weights, activations) = (numbers(3, |n| [n as i16, (n >> 8) as i16]), [[-32_768, 32_767], [5, -1]]);
        let sums = Portable.dot_shorts([7; 32], &weights, &activations);
        for (j, sum) in sums.into_iter().enumerate() {
            let product = |k: usize| i64::from(activations[j / 16][k]) * i64::from(weights[j][k]);
            assert_eq!(sum, (7 + product(0) + product(1)) as i32);
        }
    }

    #[test]
    fn a_dot_product_is_the_sum_of_its_products() {
        let (weights, activations) = (numbers(3, |n| n as u8), [-128, 127, 5, -1]);
        let sums = Portable.dot([7; 32], &weights, activations);
        for (j, sum) in sums.into_iter().enumerate() {
            let product = |k: usize| i32::from(weights[4 * j + k]) * i32::from(activations[k]);
            assert_eq!(sum, 7 + (0..4).map(product).sum::<i32>());
        }
    }
}
