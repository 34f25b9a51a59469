//! Vectors of 256 bits: AVX2, and AVX2 with VNNI. The two levels differ only in the int8 dot product.

use std::arch::x86_64::*;

use super::{Avx2, Simd};
use crate::folded::simd::both;

impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type Floats = [__m256; 2];
    type Shorts = [__m256i; 2];
    type Sums = [__m256i; 4];
    type Pairs = [__m256i; 4];

    #[inline(always)]
    fn splat(self, number: f32) -> [__m256; 2] {
        intrinsics!([_mm256_set1_ps(number); 2])
    }

    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both(a, b, |a, b| intrinsics!(_mm256_add_ps(a, b)))
    }

    #[inline(always)]
    fn multiply(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both(a, b, |a, b| intrinsics!(_mm256_mul_ps(a, b)))
    }

    /// The instruction gives its second operand unless the first is greater.
    #[inline(always)]
    fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both(a, b, |a, b| intrinsics!(_mm256_max_ps(b, a)))
    }

    #[inline(always)]
    fn halves(self, numbers: &[u16; 32]) -> [[__m256; 2]; 2] {
        let [a, b, c, d] = bytemuck::cast(*numbers);
        intrinsics!([[_mm256_cvtph_ps(a), _mm256_cvtph_ps(b)], [_mm256_cvtph_ps(c), _mm256_cvtph_ps(d)]])
    }

    /// NaN becomes −2³¹, whose low byte is 0. The packing works in halves of 128 bits, so the middle quarters change
    /// places.
    #[inline(always)]
    fn bytes(self, numbers: [__m256; 2]) -> [i8; 16] {
        bytemuck::cast(intrinsics! {
            let low_byte = _mm256_set1_epi32(0xff);
            let [low, high] = numbers.map(|numbers| _mm256_and_si256(_mm256_cvtps_epi32(numbers), low_byte));
            let shorts = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            _mm_packus_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256::<1>(shorts))
        })
    }

    /// NaN becomes −2³¹, whose low half is 0.
    #[inline(always)]
    fn short_pairs(self, a: [__m256; 2], b: [__m256; 2]) -> [[i16; 2]; 16] {
        bytemuck::cast(both(a, b, |a, b| {
            intrinsics! {
                let a = _mm256_and_si256(_mm256_cvtps_epi32(a), _mm256_set1_epi32(0xffff));
                _mm256_or_si256(a, _mm256_slli_epi32::<16>(_mm256_cvtps_epi32(b)))
            }
        }))
    }

    #[inline(always)]
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> [__m256i; 2] {
        let numbers: [__m128i; 2] = bytemuck::cast(*numbers);
        numbers.map(|numbers| intrinsics!(_mm256_mullo_epi16(_mm256_cvtepi8_epi16(numbers), _mm256_set1_epi16(factor))))
    }

    #[inline(always)]
    fn add_shorts(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        both(a, b, |a, b| intrinsics!(_mm256_add_epi16(a, b)))
    }

    #[inline(always)]
    fn max_shorts(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        both(a, b, |a, b| intrinsics!(_mm256_max_epi16(a, b)))
    }

    #[inline(always)]
    fn shorts_to_floats(self, numbers: [__m256i; 2]) -> [[__m256; 2]; 2] {
        numbers.map(|numbers| {
            intrinsics! {
                let halves = [_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers)];
                [
                    _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves[0])),
                    _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves[1])),
                ]
            }
        })
    }

    #[inline(always)]
    fn dot(self, mut sums: [__m256i; 4], weights: &[u8; 128], activations: [i8; 4]) -> [__m256i; 4] {
        for (sums, weights) in sums.iter_mut().zip(weights.as_chunks::<32>().0) {
            let weights = bytemuck::cast(*weights);
            *sums = if VNNI {
                intrinsics!(_mm256_dpbusd_avx_epi32(*sums, weights, _mm256_set1_epi32(bytemuck::cast(activations))))
            } else {
                // `vpmaddubsw` would saturate, so the bytes are widened first: even bytes by a mask, odd ones by a
                // shift.
                let [a, b, c, d] = activations.map(i16::from);
                let even = intrinsics!(_mm256_and_si256(weights, _mm256_set1_epi16(0xff)));
                let odd = intrinsics!(_mm256_srli_epi16::<8>(weights));
                self.add_products(self.add_products(*sums, even, [a, c]), odd, [b, d])
            };
        }
        sums
    }

    #[inline(always)]
    fn dot_shorts(self, mut sums: [__m256i; 4], weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> [__m256i; 4] {
        for (at, (sums, weights)) in sums.iter_mut().zip(weights.as_chunks::<8>().0).enumerate() {
            *sums = self.add_products(*sums, bytemuck::cast(*weights), activations[at / 2]);
        }
        sums
    }

    #[inline(always)]
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m256i; 4] {
        let ([a, c], [b, d]) = (bytemuck::cast(*a), bytemuck::cast(*b));
        intrinsics!([
            _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)),
            _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b)),
            _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(c, d)),
            _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(c, d)),
        ])
    }

    #[inline(always)]
    fn weigh(self, mut sums: [__m256i; 4], pairs: [__m256i; 4], weights: [i16; 2]) -> [__m256i; 4] {
        for (sums, pairs) in sums.iter_mut().zip(pairs) {
            *sums = self.add_products(*sums, pairs, weights);
        }
        sums
    }

    #[inline(always)]
    fn sums_to_floats(self, sums: [__m256i; 4], offset: i32) -> [[__m256; 2]; 2] {
        let floats =
            sums.map(|sums| intrinsics!(_mm256_cvtepi32_ps(_mm256_sub_epi32(sums, _mm256_set1_epi32(offset)))));
        [[floats[0], floats[1]], [floats[2], floats[3]]]
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    /// Adds to each sum the products of its two numbers with the weights.
    #[inline(always)]
    fn add_products(self, sums: __m256i, numbers: __m256i, weights: [i16; 2]) -> __m256i {
        let weights = bytemuck::cast(weights);
        intrinsics!(_mm256_add_epi32(sums, _mm256_madd_epi16(numbers, _mm256_set1_epi32(weights))))
    }
}
