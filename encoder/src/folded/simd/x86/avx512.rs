//! AVX-512 with VNNI: vectors of 512 bits.

use std::arch::x86_64::*;

use super::{Avx512, Simd};
use crate::folded::simd::both;

impl Simd for Avx512 {
    type Floats = __m512;
    type Shorts = __m512i;
    type Sums = [__m512i; 2];
    type Pairs = [__m512i; 2];

    #[inline(always)]
    fn splat(self, number: f32) -> __m512 {
        intrinsics!(_mm512_set1_ps(number))
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        intrinsics!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn multiply(self, a: __m512, b: __m512) -> __m512 {
        intrinsics!(_mm512_mul_ps(a, b))
    }

    /// The instruction gives its second operand unless the first is greater.
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        intrinsics!(_mm512_max_ps(b, a))
    }

    #[inline(always)]
    fn halves(self, numbers: &[u16; 32]) -> [__m512; 2] {
        let [low, high] = bytemuck::cast(*numbers);
        intrinsics!([_mm512_cvtph_ps(low), _mm512_cvtph_ps(high)])
    }

    /// NaN becomes −2³¹, whose low byte is 0.
    #[inline(always)]
    fn bytes(self, numbers: __m512) -> [i8; 16] {
        bytemuck::cast(intrinsics!(_mm512_cvtepi32_epi8(_mm512_cvtps_epi32(numbers))))
    }

    /// NaN becomes −2³¹, whose low half is 0.
    #[inline(always)]
    fn short_pairs(self, a: __m512, b: __m512) -> [[i16; 2]; 16] {
        bytemuck::cast(intrinsics! {
            let a = _mm512_and_si512(_mm512_cvtps_epi32(a), _mm512_set1_epi32(0xffff));
            let b = _mm512_slli_epi32::<16>(_mm512_cvtps_epi32(b));
            _mm512_or_si512(a, b)
        })
    }

    #[inline(always)]
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> __m512i {
        let numbers = bytemuck::cast(*numbers);
        intrinsics!(_mm512_mullo_epi16(_mm512_cvtepi8_epi16(numbers), _mm512_set1_epi16(factor)))
    }

    #[inline(always)]
    fn add_shorts(self, a: __m512i, b: __m512i) -> __m512i {
        intrinsics!(_mm512_add_epi16(a, b))
    }

    #[inline(always)]
    fn max_shorts(self, a: __m512i, b: __m512i) -> __m512i {
        intrinsics!(_mm512_max_epi16(a, b))
    }

    #[inline(always)]
    fn shorts_to_floats(self, numbers: __m512i) -> [__m512; 2] {
        intrinsics! {
            let halves = [_mm512_castsi512_si256(numbers), _mm512_extracti64x4_epi64::<1>(numbers)];
            [_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(halves[0])), _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(halves[1]))]
        }
    }

    #[inline(always)]
    fn dot(self, sums: [__m512i; 2], weights: &[u8; 128], activations: [i8; 4]) -> [__m512i; 2] {
        let weights: [__m512i; 2] = bytemuck::cast(*weights);
        both(sums, weights, |sums, weights| {
            intrinsics!(_mm512_dpbusd_epi32(sums, weights, _mm512_set1_epi32(bytemuck::cast(activations))))
        })
    }

    #[inline(always)]
    fn dot_shorts(self, sums: [__m512i; 2], weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> [__m512i; 2] {
        let [low, high] = bytemuck::cast(*weights);
        let [first, second] = bytemuck::cast(*activations);
        intrinsics!([
            _mm512_dpwssd_epi32(sums[0], low, _mm512_set1_epi32(first)),
            _mm512_dpwssd_epi32(sums[1], high, _mm512_set1_epi32(second)),
        ])
    }

    /// First the numbers of the lower halves of each 128 bits, then those of the upper halves.
    #[inline(always)]
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m512i; 2] {
        let (a, b) = (bytemuck::cast(*a), bytemuck::cast(*b));
        intrinsics! {
            [_mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(a, b)), _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(a, b))]
        }
    }

    #[inline(always)]
    fn weigh(self, sums: [__m512i; 2], pairs: [__m512i; 2], weights: [i16; 2]) -> [__m512i; 2] {
        both(sums, pairs, |sums, pairs| {
            intrinsics!(_mm512_dpwssd_epi32(sums, pairs, _mm512_set1_epi32(bytemuck::cast(weights))))
        })
    }

    #[inline(always)]
    fn weighed_to_floats(self, [low, high]: [__m512i; 2]) -> [__m512; 2] {
        intrinsics!([
            _mm512_cvtepi32_ps(_mm512_shuffle_i32x4::<0b01_00_01_00>(low, high)),
            _mm512_cvtepi32_ps(_mm512_shuffle_i32x4::<0b11_10_11_10>(low, high)),
        ])
    }

    #[inline(always)]
    fn sums_to_floats(self, sums: [__m512i; 2], offset: i32) -> [__m512; 2] {
        sums.map(|sums| intrinsics!(_mm512_cvtepi32_ps(_mm512_sub_epi32(sums, _mm512_set1_epi32(offset)))))
    }
}
