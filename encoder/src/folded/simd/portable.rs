//! The level of plain Rust.

use super::Simd;
use crate::folded::math;

/// Plain Rust, for any machine: the reference that every other level equals.
#[derive(Debug, Clone, Copy)]
pub(in crate::folded) struct Portable;

impl Simd for Portable {
    type Floats = [f32; 16];
    type Shorts = [i16; 32];
    type Sums = [i32; 32];
    type Pairs = [[i8; 32]; 2];

    #[inline(always)]
    fn splat(self, number: f32) -> [f32; 16] {
        [number; 16]
    }

    #[inline(always)]
    fn add(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i] + b[i])
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
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> [i16; 32] {
        numbers.map(|number| i16::from(number).wrapping_mul(factor))
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
    fn sums_to_floats(self, sums: [i32; 32], offset: i32) -> [[f32; 16]; 2] {
        [0, 16].map(|half| std::array::from_fn(|i| sums[half + i].wrapping_sub(offset) as f32))
    }
}
