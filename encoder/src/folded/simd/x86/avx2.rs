//! Vectors of 256 bits: AVX2, and AVX2 with VNNI.

use std::arch::x86_64::*;

use super::{Avx2, AvxVnni, Simd, four, two};
use crate::folded::simd::both;

/// The operations of a level of 256 bits. The two levels differ only in the int8 dot product, `$dot`.
macro_rules! simd_256 {
    ($level:ty, $dot:expr) => {
        impl Simd for $level {
            type Floats = [__m256; 2];
            type Shorts = [__m256i; 2];
            type Sums = [__m256i; 4];
            type Pairs = [__m256i; 4];

            #[inline(always)]
            fn load(self, numbers: &[f32; 16]) -> [__m256; 2] {
                // SAFETY: `self` shows that AVX2 was detected; the two halves of `numbers`, of 32 bytes each, are read,
                // unaligned.
                unsafe { [_mm256_loadu_ps(numbers.as_ptr()), _mm256_loadu_ps(numbers.as_ptr().add(8))] }
            }

            #[inline(always)]
            fn store(self, numbers: [__m256; 2], to: &mut [f32; 16]) {
                // SAFETY: `self` shows that AVX2 was detected; the two halves of `to`, of 32 bytes each, are written,
                // unaligned.
                unsafe {
                    _mm256_storeu_ps(to.as_mut_ptr(), numbers[0]);
                    _mm256_storeu_ps(to.as_mut_ptr().add(8), numbers[1]);
                }
            }

            #[inline(always)]
            fn splat(self, number: f32) -> [__m256; 2] {
                intrinsics!([_mm256_set1_ps(number); 2])
            }

            #[inline(always)]
            fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| intrinsics!(_mm256_add_ps(a, b)))
            }

            #[inline(always)]
            fn subtract(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| intrinsics!(_mm256_sub_ps(a, b)))
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
                // SAFETY: `self` shows that AVX2 and F16C were detected; a quarter of `numbers`, of 16 bytes, is read,
                // unaligned.
                let eight = |at: usize| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(numbers.as_ptr().add(at).cast())) };
                [[eight(0), eight(8)], [eight(16), eight(24)]]
            }

            /// NaN becomes −2³¹, whose low byte is 0. The packing works in halves of 128 bits, so the middle quarters
            /// change places.
            #[inline(always)]
            fn bytes(self, numbers: [__m256; 2]) -> [i8; 16] {
                let mut bytes = [0; 16];
                let packed = intrinsics! {
                    let low_byte = _mm256_set1_epi32(0xff);
                    let [low, high] = numbers.map(|numbers| _mm256_and_si256(_mm256_cvtps_epi32(numbers), low_byte));
                    let shorts = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
                    _mm_packus_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256::<1>(shorts))
                };
                // SAFETY: `self` shows that AVX2 was detected; the 16 bytes of `bytes` are written, unaligned.
                unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed) };
                bytes
            }

            /// NaN becomes −2³¹, whose low half is 0.
            #[inline(always)]
            fn short_pairs(self, a: [__m256; 2], b: [__m256; 2]) -> [[i16; 2]; 16] {
                let mut pairs = [[0; 2]; 16];
                for half in 0..2 {
                    let both = intrinsics! {
                        let a = _mm256_and_si256(_mm256_cvtps_epi32(a[half]), _mm256_set1_epi32(0xffff));
                        let b = _mm256_slli_epi32::<16>(_mm256_cvtps_epi32(b[half]));
                        _mm256_or_si256(a, b)
                    };
                    // SAFETY: `self` shows that AVX2 was detected; a half of `pairs`, of 32 bytes, is written,
                    // unaligned.
                    unsafe { _mm256_storeu_si256(pairs.as_mut_ptr().add(8 * half).cast(), both) };
                }
                pairs
            }

            #[inline(always)]
            fn prefetch<T>(self, memory: &T) {
                // SAFETY: `self` shows that AVX2 was detected; a prefetch is a hint on a valid address and reads
                // nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast()) }
            }

            #[inline(always)]
            fn shorts(self, numbers: &[i8; 32], factor: i16) -> [__m256i; 2] {
                // SAFETY: `self` shows that AVX2 was detected; the two halves of `numbers`, of 16 bytes each, are read,
                // unaligned.
                [0, 16].map(|half| unsafe {
                    let numbers = _mm256_cvtepi8_epi16(_mm_loadu_si128(numbers.as_ptr().add(half).cast()));
                    _mm256_mullo_epi16(numbers, _mm256_set1_epi16(factor))
                })
            }

            #[inline(always)]
            fn load_shorts(self, numbers: &[i16; 32]) -> [__m256i; 2] {
                // SAFETY: `self` shows that AVX2 was detected; the two halves of `numbers`, of 32 bytes each, are read,
                // unaligned.
                [0, 16].map(|half| unsafe { _mm256_loadu_si256(numbers.as_ptr().add(half).cast()) })
            }

            #[inline(always)]
            fn store_shorts(self, numbers: [__m256i; 2], to: &mut [i16; 32]) {
                // SAFETY: `self` shows that AVX2 was detected; the two halves of `to`, of 32 bytes each, are written,
                // unaligned.
                unsafe {
                    _mm256_storeu_si256(to.as_mut_ptr().cast(), numbers[0]);
                    _mm256_storeu_si256(to.as_mut_ptr().add(16).cast(), numbers[1]);
                }
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
            fn no_sums(self) -> [__m256i; 4] {
                intrinsics!([_mm256_setzero_si256(); 4])
            }

            #[inline(always)]
            fn dot(self, mut sums: [__m256i; 4], weights: &[u8; 128], activations: [i8; 4]) -> [__m256i; 4] {
                for (at, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `self` shows that AVX2 was detected; a quarter of `weights`, of 32 bytes, is read,
                    // unaligned.
                    let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().add(32 * at).cast()) };
                    *sums = $dot(*sums, weights, activations);
                }
                sums
            }

            #[inline(always)]
            fn dot_shorts(
                self,
                mut sums: [__m256i; 4],
                weights: &[[i16; 2]; 32],
                activations: &[[i16; 2]; 2],
            ) -> [__m256i; 4] {
                for (at, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `self` shows that AVX2 was detected; a quarter of `weights`, of 32 bytes, is read,
                    // unaligned.
                    let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().add(8 * at).cast()) };
                    *sums = intrinsics! {
                        let products = _mm256_madd_epi16(weights, _mm256_set1_epi32(two(activations[at / 2])));
                        _mm256_add_epi32(*sums, products)
                    };
                }
                sums
            }

            #[inline(always)]
            fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m256i; 4] {
                let mut pairs = self.no_sums();
                for half in 0..2 {
                    // SAFETY: `self` shows that AVX2 was detected; a half of `a` and of `b`, of 16 bytes, is read,
                    // unaligned.
                    unsafe {
                        let a = _mm_loadu_si128(a.as_ptr().add(16 * half).cast());
                        let b = _mm_loadu_si128(b.as_ptr().add(16 * half).cast());
                        pairs[2 * half] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
                        pairs[2 * half + 1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
                    }
                }
                pairs
            }

            #[inline(always)]
            fn weigh(self, mut sums: [__m256i; 4], pairs: [__m256i; 4], weights: [i16; 2]) -> [__m256i; 4] {
                for (sums, pairs) in sums.iter_mut().zip(pairs) {
                    *sums = intrinsics! {
                        let products = _mm256_madd_epi16(pairs, _mm256_set1_epi32(two(weights)));
                        _mm256_add_epi32(*sums, products)
                    };
                }
                sums
            }

            #[inline(always)]
            fn weighed_to_floats(self, sums: [__m256i; 4]) -> [[__m256; 2]; 2] {
                self.sums_to_floats(sums, 0)
            }

            #[inline(always)]
            fn sums_to_floats(self, sums: [__m256i; 4], offset: i32) -> [[__m256; 2]; 2] {
                let floats =
                    sums.map(|sums| intrinsics!(_mm256_cvtepi32_ps(_mm256_sub_epi32(sums, _mm256_set1_epi32(offset)))));
                [[floats[0], floats[1]], [floats[2], floats[3]]]
            }
        }
    };
}

simd_256!(AvxVnni, |sums, weights, activations| intrinsics!(_mm256_dpbusd_avx_epi32(
    sums,
    weights,
    _mm256_set1_epi32(four(activations))
)));

// `vpmaddubsw` would saturate, so the bytes are widened first: even bytes by a mask, odd bytes by a shift.
simd_256!(Avx2, |sums, weights, [a, b, c, d]: [i8; 4]| intrinsics! {
    let pair = |first: i8, second: i8| _mm256_set1_epi32(two([first.into(), second.into()]));
    let even = _mm256_madd_epi16(_mm256_and_si256(weights, _mm256_set1_epi16(0xff)), pair(a, c));
    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(weights), pair(b, d));
    _mm256_add_epi32(sums, _mm256_add_epi32(even, odd))
});
