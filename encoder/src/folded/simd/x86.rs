//! Three levels of x86-64.
//!
//! In every `unsafe` block of the implementations: `self` is a value that only [`detect`] makes, having seen that the machine has the
//! instructions; and loads and stores are of whole arrays whose lengths the types give, in their unaligned forms.

use std::arch::x86_64::*;

use super::{Level, Simd, Work};

/// AVX2 and F16C were detected.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());
/// AVX2, F16C and AVX-VNNI were detected.
#[derive(Debug, Clone, Copy)]
pub struct AvxVnni(());
/// AVX2, F16C, and AVX-512 F, BW, DQ, VL and VNNI were detected.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

/// The levels that this machine has, the best last.
pub fn detect() -> Vec<Level> {
    let mut levels = Vec::new();
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
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

#[target_feature(enable = "avx2,f16c")]
pub fn run_avx2(work: impl Work, level: Avx2) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avxvnni")]
pub fn run_avx_vnni(work: impl Work, level: AvxVnni) {
    work.run(level);
}

#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub fn run_avx512(work: impl Work, level: Avx512) {
    work.run(level);
}

/// Four bytes as one number, to be repeated.
#[inline(always)]
fn four(activations: [i8; 4]) -> i32 {
    i32::from_le_bytes(activations.map(|activation| activation as u8))
}

/// Two weights as one number, to be repeated.
#[inline(always)]
fn two([a, b]: [i16; 2]) -> i32 {
    i32::from(a) & 0xffff | i32::from(b) << 16
}

/// Both halves.
#[inline(always)]
fn both<A: Copy, B>(a: [A; 2], b: [A; 2], f: impl Fn(A, A) -> B) -> [B; 2] {
    [f(a[0], b[0]), f(a[1], b[1])]
}

impl Simd for Avx512 {
    type Floats = __m512;
    type Shorts = __m512i;
    type Sums = [__m512i; 2];
    type Pairs = [__m512i; 2];

    #[inline(always)]
    fn load(self, numbers: &[f32; 16]) -> __m512 {
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, numbers: __m512, to: &mut [f32; 16]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), numbers) }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> __m512 {
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn subtract(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn multiply(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    /// The instruction gives its second operand unless the first is greater.
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(b, a) }
    }

    #[inline(always)]
    fn halves(self, numbers: &[u16; 32]) -> [__m512; 2] {
        [0, 16].map(|half| unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(numbers.as_ptr().add(half).cast())) })
    }

    /// NaN becomes −2³¹, whose low byte is 0.
    #[inline(always)]
    fn bytes(self, numbers: __m512) -> [i8; 16] {
        let mut bytes = [0; 16];
        unsafe {
            let numbers = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(numbers));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), numbers);
        }
        bytes
    }

    /// NaN becomes −2³¹, whose low half is 0.
    #[inline(always)]
    fn short_pairs(self, a: __m512, b: __m512) -> [[i16; 2]; 16] {
        let mut pairs = [[0; 2]; 16];
        unsafe {
            let a = _mm512_and_si512(_mm512_cvtps_epi32(a), _mm512_set1_epi32(0xffff));
            let b = _mm512_slli_epi32::<16>(_mm512_cvtps_epi32(b));
            _mm512_storeu_si512(pairs.as_mut_ptr().cast(), _mm512_or_si512(a, b));
        }
        pairs
    }

    #[inline(always)]
    fn prefetch<T>(self, memory: &T) {
        // A hint on a valid address; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast()) }
    }

    #[inline(always)]
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> __m512i {
        unsafe {
            let numbers = _mm512_cvtepi8_epi16(_mm256_loadu_si256(numbers.as_ptr().cast()));
            _mm512_mullo_epi16(numbers, _mm512_set1_epi16(factor))
        }
    }

    #[inline(always)]
    fn load_shorts(self, numbers: &[i16; 32]) -> __m512i {
        unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_shorts(self, numbers: __m512i, to: &mut [i16; 32]) {
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), numbers) }
    }

    #[inline(always)]
    fn add_shorts(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi16(a, b) }
    }

    #[inline(always)]
    fn max_shorts(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_max_epi16(a, b) }
    }

    #[inline(always)]
    fn shorts_to_floats(self, numbers: __m512i) -> [__m512; 2] {
        unsafe {
            let halves = [_mm512_castsi512_si256(numbers), _mm512_extracti64x4_epi64::<1>(numbers)];
            [_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(halves[0])), _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(halves[1]))]
        }
    }

    #[inline(always)]
    fn no_sums(self) -> [__m512i; 2] {
        unsafe { [_mm512_setzero_si512(); 2] }
    }

    #[inline(always)]
    fn dot(self, sums: [__m512i; 2], weights: &[u8; 128], activations: [i8; 4]) -> [__m512i; 2] {
        unsafe {
            let activations = _mm512_set1_epi32(four(activations));
            let low = _mm512_loadu_si512(weights.as_ptr().cast());
            let high = _mm512_loadu_si512(weights.as_ptr().add(64).cast());
            [_mm512_dpbusd_epi32(sums[0], low, activations), _mm512_dpbusd_epi32(sums[1], high, activations)]
        }
    }

    #[inline(always)]
    fn dot_shorts(self, sums: [__m512i; 2], weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> [__m512i; 2] {
        unsafe {
            let activations = activations.as_ptr().cast::<i32>();
            let low = _mm512_loadu_si512(weights.as_ptr().cast());
            let high = _mm512_loadu_si512(weights.as_ptr().add(16).cast());
            [
                _mm512_dpwssd_epi32(sums[0], low, _mm512_set1_epi32(activations.read_unaligned())),
                _mm512_dpwssd_epi32(sums[1], high, _mm512_set1_epi32(activations.add(1).read_unaligned())),
            ]
        }
    }

    /// First those of the lower halves of either 128 bits, then those of the upper halves.
    #[inline(always)]
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m512i; 2] {
        unsafe {
            let (a, b) = (_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast()));
            [_mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(a, b)), _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(a, b))]
        }
    }

    #[inline(always)]
    fn weigh(self, sums: [__m512i; 2], pairs: [__m512i; 2], weights: [i16; 2]) -> [__m512i; 2] {
        unsafe {
            let weights = _mm512_set1_epi32(two(weights));
            [_mm512_dpwssd_epi32(sums[0], pairs[0], weights), _mm512_dpwssd_epi32(sums[1], pairs[1], weights)]
        }
    }

    #[inline(always)]
    fn weighed_to_floats(self, [low, high]: [__m512i; 2]) -> [__m512; 2] {
        unsafe {
            [
                _mm512_cvtepi32_ps(_mm512_shuffle_i32x4::<0b01_00_01_00>(low, high)),
                _mm512_cvtepi32_ps(_mm512_shuffle_i32x4::<0b11_10_11_10>(low, high)),
            ]
        }
    }

    #[inline(always)]
    fn sums_to_floats(self, sums: [__m512i; 2], offset: i32) -> [__m512; 2] {
        sums.map(|sums| unsafe { _mm512_cvtepi32_ps(_mm512_sub_epi32(sums, _mm512_set1_epi32(offset))) })
    }
}

/// What the two levels of 256 bits share; `$level` differs in its dot product alone.
macro_rules! simd_256 {
    ($level:ty, $dot:expr) => {
        impl Simd for $level {
            type Floats = [__m256; 2];
            type Shorts = [__m256i; 2];
            type Sums = [__m256i; 4];
            type Pairs = [__m256i; 4];

            #[inline(always)]
            fn load(self, numbers: &[f32; 16]) -> [__m256; 2] {
                unsafe { [_mm256_loadu_ps(numbers.as_ptr()), _mm256_loadu_ps(numbers.as_ptr().add(8))] }
            }

            #[inline(always)]
            fn store(self, numbers: [__m256; 2], to: &mut [f32; 16]) {
                unsafe {
                    _mm256_storeu_ps(to.as_mut_ptr(), numbers[0]);
                    _mm256_storeu_ps(to.as_mut_ptr().add(8), numbers[1]);
                }
            }

            #[inline(always)]
            fn splat(self, number: f32) -> [__m256; 2] {
                unsafe { [_mm256_set1_ps(number); 2] }
            }

            #[inline(always)]
            fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| unsafe { _mm256_add_ps(a, b) })
            }

            #[inline(always)]
            fn subtract(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| unsafe { _mm256_sub_ps(a, b) })
            }

            #[inline(always)]
            fn multiply(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| unsafe { _mm256_mul_ps(a, b) })
            }

            /// The instruction gives its second operand unless the first is greater.
            #[inline(always)]
            fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
                both(a, b, |a, b| unsafe { _mm256_max_ps(b, a) })
            }

            #[inline(always)]
            fn halves(self, numbers: &[u16; 32]) -> [[__m256; 2]; 2] {
                let eight = |at: usize| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(numbers.as_ptr().add(at).cast())) };
                [[eight(0), eight(8)], [eight(16), eight(24)]]
            }

            /// NaN becomes −2³¹, whose low byte is 0. The packing works in halves of 128 bits, so the middle quarters change places.
            #[inline(always)]
            fn bytes(self, numbers: [__m256; 2]) -> [i8; 16] {
                let mut bytes = [0; 16];
                unsafe {
                    let low_byte = _mm256_set1_epi32(0xff);
                    let [low, high] = numbers.map(|numbers| _mm256_and_si256(_mm256_cvtps_epi32(numbers), low_byte));
                    let shorts = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
                    let packed =
                        _mm_packus_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256::<1>(shorts));
                    _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed);
                }
                bytes
            }

            /// NaN becomes −2³¹, whose low half is 0.
            #[inline(always)]
            fn short_pairs(self, a: [__m256; 2], b: [__m256; 2]) -> [[i16; 2]; 16] {
                let mut pairs = [[0; 2]; 16];
                for half in 0..2 {
                    unsafe {
                        let a = _mm256_and_si256(_mm256_cvtps_epi32(a[half]), _mm256_set1_epi32(0xffff));
                        let b = _mm256_slli_epi32::<16>(_mm256_cvtps_epi32(b[half]));
                        _mm256_storeu_si256(pairs.as_mut_ptr().add(8 * half).cast(), _mm256_or_si256(a, b));
                    }
                }
                pairs
            }

            #[inline(always)]
            fn prefetch<T>(self, memory: &T) {
                // A hint on a valid address; it reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast()) }
            }

            #[inline(always)]
            fn shorts(self, numbers: &[i8; 32], factor: i16) -> [__m256i; 2] {
                [0, 16].map(|half| unsafe {
                    let numbers = _mm256_cvtepi8_epi16(_mm_loadu_si128(numbers.as_ptr().add(half).cast()));
                    _mm256_mullo_epi16(numbers, _mm256_set1_epi16(factor))
                })
            }

            #[inline(always)]
            fn load_shorts(self, numbers: &[i16; 32]) -> [__m256i; 2] {
                [0, 16].map(|half| unsafe { _mm256_loadu_si256(numbers.as_ptr().add(half).cast()) })
            }

            #[inline(always)]
            fn store_shorts(self, numbers: [__m256i; 2], to: &mut [i16; 32]) {
                unsafe {
                    _mm256_storeu_si256(to.as_mut_ptr().cast(), numbers[0]);
                    _mm256_storeu_si256(to.as_mut_ptr().add(16).cast(), numbers[1]);
                }
            }

            #[inline(always)]
            fn add_shorts(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
                both(a, b, |a, b| unsafe { _mm256_add_epi16(a, b) })
            }

            #[inline(always)]
            fn max_shorts(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
                both(a, b, |a, b| unsafe { _mm256_max_epi16(a, b) })
            }

            #[inline(always)]
            fn shorts_to_floats(self, numbers: [__m256i; 2]) -> [[__m256; 2]; 2] {
                numbers.map(|numbers| unsafe {
                    let halves = [_mm256_castsi256_si128(numbers), _mm256_extracti128_si256::<1>(numbers)];
                    [
                        _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves[0])),
                        _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(halves[1])),
                    ]
                })
            }

            #[inline(always)]
            fn no_sums(self) -> [__m256i; 4] {
                unsafe { [_mm256_setzero_si256(); 4] }
            }

            #[inline(always)]
            fn dot(self, mut sums: [__m256i; 4], weights: &[u8; 128], activations: [i8; 4]) -> [__m256i; 4] {
                for (at, sums) in sums.iter_mut().enumerate() {
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
                    unsafe {
                        let weights = _mm256_loadu_si256(weights.as_ptr().add(8 * at).cast());
                        let products = _mm256_madd_epi16(weights, _mm256_set1_epi32(two(activations[at / 2])));
                        *sums = _mm256_add_epi32(*sums, products);
                    }
                }
                sums
            }

            #[inline(always)]
            fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m256i; 4] {
                unsafe {
                    let mut pairs = [_mm256_setzero_si256(); 4];
                    for half in 0..2 {
                        let a = _mm_loadu_si128(a.as_ptr().add(16 * half).cast());
                        let b = _mm_loadu_si128(b.as_ptr().add(16 * half).cast());
                        pairs[2 * half] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
                        pairs[2 * half + 1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b));
                    }
                    pairs
                }
            }

            #[inline(always)]
            fn weigh(self, mut sums: [__m256i; 4], pairs: [__m256i; 4], weights: [i16; 2]) -> [__m256i; 4] {
                for (sums, pairs) in sums.iter_mut().zip(pairs) {
                    unsafe {
                        let products = _mm256_madd_epi16(pairs, _mm256_set1_epi32(two(weights)));
                        *sums = _mm256_add_epi32(*sums, products);
                    }
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
                    sums.map(|sums| unsafe { _mm256_cvtepi32_ps(_mm256_sub_epi32(sums, _mm256_set1_epi32(offset))) });
                [[floats[0], floats[1]], [floats[2], floats[3]]]
            }
        }
    };
}

simd_256!(AvxVnni, |sums, weights, activations| unsafe {
    _mm256_dpbusd_avx_epi32(sums, weights, _mm256_set1_epi32(four(activations)))
});

// `vpmaddubsw` would saturate, so the bytes are widened first: even ones by a mask, odd ones by a shift.
simd_256!(Avx2, |sums, weights, [a, b, c, d]: [i8; 4]| unsafe {
    let pair = |first: i8, second: i8| _mm256_set1_epi32((i32::from(first) & 0xffff) | (i32::from(second) << 16));
    let even = _mm256_madd_epi16(_mm256_and_si256(weights, _mm256_set1_epi16(0xff)), pair(a, c));
    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(weights), pair(b, d));
    _mm256_add_epi32(sums, _mm256_add_epi32(even, odd))
});
