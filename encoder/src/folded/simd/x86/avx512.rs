//! AVX-512 with VNNI: vectors of 512 bits.

use std::arch::x86_64::*;

use super::{Avx512, Simd, four, two};

impl Simd for Avx512 {
    type Floats = __m512;
    type Shorts = __m512i;
    type Sums = [__m512i; 2];
    type Pairs = [__m512i; 2];

    #[inline(always)]
    fn load(self, numbers: &[f32; 16]) -> __m512 {
        // SAFETY: `self` shows that AVX-512 was detected; the 64 bytes of `numbers` are read, unaligned.
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, numbers: __m512, to: &mut [f32; 16]) {
        // SAFETY: `self` shows that AVX-512 was detected; the 64 bytes of `to` are written, unaligned.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), numbers) }
    }

    #[inline(always)]
    fn splat(self, number: f32) -> __m512 {
        intrinsics!(_mm512_set1_ps(number))
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        intrinsics!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn subtract(self, a: __m512, b: __m512) -> __m512 {
        intrinsics!(_mm512_sub_ps(a, b))
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
        // SAFETY: `self` shows that AVX-512 was detected; the two halves of `numbers`, of 32 bytes each, are read,
        // unaligned.
        [0, 16].map(|half| unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(numbers.as_ptr().add(half).cast())) })
    }

    /// NaN becomes −2³¹, whose low byte is 0.
    #[inline(always)]
    fn bytes(self, numbers: __m512) -> [i8; 16] {
        let mut bytes = [0; 16];
        let numbers = intrinsics!(_mm512_cvtepi32_epi8(_mm512_cvtps_epi32(numbers)));
        // SAFETY: `self` shows that AVX-512 was detected; the 16 bytes of `bytes` are written, unaligned.
        unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), numbers) };
        bytes
    }

    /// NaN becomes −2³¹, whose low half is 0.
    #[inline(always)]
    fn short_pairs(self, a: __m512, b: __m512) -> [[i16; 2]; 16] {
        let mut pairs = [[0; 2]; 16];
        let both = intrinsics! {
            let a = _mm512_and_si512(_mm512_cvtps_epi32(a), _mm512_set1_epi32(0xffff));
            let b = _mm512_slli_epi32::<16>(_mm512_cvtps_epi32(b));
            _mm512_or_si512(a, b)
        };
        // SAFETY: `self` shows that AVX-512 was detected; the 64 bytes of `pairs` are written, unaligned.
        unsafe { _mm512_storeu_si512(pairs.as_mut_ptr().cast(), both) };
        pairs
    }

    #[inline(always)]
    fn prefetch<T>(self, memory: &T) {
        // SAFETY: `self` shows that AVX-512 was detected; a prefetch is a hint on a valid address and reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(memory).cast()) }
    }

    #[inline(always)]
    fn shorts(self, numbers: &[i8; 32], factor: i16) -> __m512i {
        // SAFETY: `self` shows that AVX-512 was detected; the 32 bytes of `numbers` are read, unaligned.
        let numbers = unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(numbers.as_ptr().cast())) };
        intrinsics!(_mm512_mullo_epi16(numbers, _mm512_set1_epi16(factor)))
    }

    #[inline(always)]
    fn load_shorts(self, numbers: &[i16; 32]) -> __m512i {
        // SAFETY: `self` shows that AVX-512 was detected; the 64 bytes of `numbers` are read, unaligned.
        unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_shorts(self, numbers: __m512i, to: &mut [i16; 32]) {
        // SAFETY: `self` shows that AVX-512 was detected; the 64 bytes of `to` are written, unaligned.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), numbers) }
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
    fn no_sums(self) -> [__m512i; 2] {
        intrinsics!([_mm512_setzero_si512(); 2])
    }

    #[inline(always)]
    fn dot(self, sums: [__m512i; 2], weights: &[u8; 128], activations: [i8; 4]) -> [__m512i; 2] {
        // SAFETY: `self` shows that AVX-512 was detected; the two halves of `weights`, of 64 bytes each, are read,
        // unaligned.
        unsafe {
            let activations = _mm512_set1_epi32(four(activations));
            let low = _mm512_loadu_si512(weights.as_ptr().cast());
            let high = _mm512_loadu_si512(weights.as_ptr().add(64).cast());
            [_mm512_dpbusd_epi32(sums[0], low, activations), _mm512_dpbusd_epi32(sums[1], high, activations)]
        }
    }

    #[inline(always)]
    fn dot_shorts(self, sums: [__m512i; 2], weights: &[[i16; 2]; 32], activations: &[[i16; 2]; 2]) -> [__m512i; 2] {
        // SAFETY: `self` shows that AVX-512 was detected; the two halves of `weights`, of 64 bytes each, and of
        // `activations`, of 4 bytes each, are read, unaligned.
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

    /// First the numbers of the lower halves of each 128 bits, then those of the upper halves.
    #[inline(always)]
    fn pair(self, a: &[i8; 32], b: &[i8; 32]) -> [__m512i; 2] {
        // SAFETY: `self` shows that AVX-512 was detected; the 32 bytes of `a` and of `b` are read, unaligned.
        unsafe {
            let (a, b) = (_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast()));
            [_mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(a, b)), _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(a, b))]
        }
    }

    #[inline(always)]
    fn weigh(self, sums: [__m512i; 2], pairs: [__m512i; 2], weights: [i16; 2]) -> [__m512i; 2] {
        intrinsics! {
            let weights = _mm512_set1_epi32(two(weights));
            [_mm512_dpwssd_epi32(sums[0], pairs[0], weights), _mm512_dpwssd_epi32(sums[1], pairs[1], weights)]
        }
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
