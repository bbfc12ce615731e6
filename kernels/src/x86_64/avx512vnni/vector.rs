//! Vectors of 16 lanes.

use core::arch::x86_64::*;

use super::Avx512Vnni;
use crate::math::MANTISSA;
use crate::vector::{Vector, vector_operations};

impl Vector for Avx512Vnni {
    const LANES: usize = 16;
    type F32 = __m512;
    type I32 = __m512i;
    type I16 = __m512i;

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller vouches for the memory, the token for the instruction.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, x: __m512, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_i32(self, from: *const i32) -> __m512i {
        // SAFETY: as for `load`.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i32(self, x: __m512i, to: *mut i32) {
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_si512(to.cast(), x) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m512i {
        // SAFETY: as for `load`.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> __m512 {
        // SAFETY: as for `load`.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, x: __m512i, to: *mut i8) {
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(x)) }
    }

    /// In the order and with the offset of [`super::rows`].
    #[inline(always)]
    unsafe fn store_row<const K: usize>(self, x: [__m512; K], to: *mut i8) {
        // SAFETY: as for `load`. Packing works inside blocks of 128 bits, which is the order wanted; it saturates, but
        // the integers fit.
        unsafe {
            match *x.as_slice() {
                // Of 48 lanes, the fourth vector is anything.
                [a, b, c] => self.store_row([a, b, c, c], to),
                [a, b, c, d] => {
                    let low = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
                    let high = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
                    let bytes = _mm512_packs_epi16(low, high);
                    _mm512_storeu_si512(to.cast(), _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)));
                }
                [a, b] => {
                    let pairs = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
                    let (low, high) = (_mm512_castsi512_si256(pairs), _mm512_extracti64x4_epi64::<1>(pairs));
                    let bytes = _mm256_packs_epi16(low, high);
                    _mm256_storeu_si256(to.cast(), _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)));
                }
                ref all => {
                    for (k, &x) in all.iter().enumerate() {
                        let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
                        let to = to.add(16 * k).cast();
                        _mm_storeu_si128(to, _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load_i16(self, from: *const i16) -> __m512i {
        // SAFETY: as for `load`.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i16(self, x: __m512i, to: *mut i16) {
        // SAFETY: as for `load`.
        unsafe { _mm512_storeu_si512(to.cast(), x) }
    }

    /// Blocks of 128 bits of `a` and of `b` in turn.
    #[inline(always)]
    fn to_score(self, a: __m512, b: __m512) -> __m512i {
        // What is below −32,768 becomes that: out of the range of 32 bits it is the smallest integer, and packing
        // saturates.
        // SAFETY: the token proves the instructions, as in all methods below.
        unsafe {
            let most = _mm512_set1_ps(32_767.0);
            let (a, b) = (_mm512_min_ps(a, most), _mm512_min_ps(b, most));
            _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b))
        }
    }

    /// The weight is in the high byte; the low one is anything.
    #[inline(always)]
    fn exp2_score(self, steps: __m512i, dither: __m512i) -> __m512i {
        // SAFETY: as in `to_score`.
        unsafe {
            let [c0, c1, c2] = MANTISSA.map(|c| _mm512_set1_epi16(c as i16));
            let r = _mm512_and_si512(steps, _mm512_set1_epi16(31));
            let slope = _mm512_sub_epi16(c1, _mm512_mullo_epi16(r, c2));
            let mantissa = _mm512_sub_epi16(c0, _mm512_mullo_epi16(r, slope));
            // A count of 16 and more gives 0.
            let octaves = _mm512_srli_epi16::<5>(steps);
            _mm512_add_epi16(_mm512_srlv_epi16(mantissa, octaves), _mm512_slli_epi16::<1>(dither))
        }
    }

    #[inline(always)]
    fn quads_i16(self, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 2] {
        // SAFETY: as in `to_score`.
        unsafe {
            // The high bytes of both: (b & mask) | (a >> 8).
            let high = _mm512_set1_epi16(0xff00_u16 as i16);
            let both = |a, b| _mm512_ternarylogic_epi32::<0b1111_1000>(_mm512_srli_epi16::<8>(a), b, high);
            let (ab, cd) = (both(a, b), both(c, d));
            [_mm512_unpacklo_epi16(ab, cd), _mm512_unpackhi_epi16(ab, cd)]
        }
    }

    #[inline(always)]
    fn add_bytes(self, sum: __m512i, quads: __m512i) -> __m512i {
        // SAFETY: as in `to_score`.
        unsafe { _mm512_dpbusd_epi32(sum, quads, _mm512_set1_epi8(1)) }
    }

    #[inline(always)]
    fn reduce_max(self, x: __m512) -> f32 {
        // SAFETY: as in `to_score`.
        unsafe { _mm512_reduce_max_ps(x) }
    }

    #[inline(always)]
    fn reduce_add(self, x: __m512i) -> i32 {
        // SAFETY: as in `to_score`.
        unsafe { _mm512_reduce_add_epi32(x) }
    }

    #[inline(always)]
    unsafe fn store_blocks(self, x: __m512i, to: *mut i8, stride: usize) {
        // SAFETY: as for `load`, block by block.
        unsafe {
            _mm_storeu_si128(to.cast(), _mm512_extracti32x4_epi32::<0>(x));
            _mm_storeu_si128(to.add(stride).cast(), _mm512_extracti32x4_epi32::<1>(x));
            _mm_storeu_si128(to.add(2 * stride).cast(), _mm512_extracti32x4_epi32::<2>(x));
            _mm_storeu_si128(to.add(3 * stride).cast(), _mm512_extracti32x4_epi32::<3>(x));
        }
    }

    #[inline(always)]
    unsafe fn load_blocks(self, from: *const f32, stride: usize) -> __m512 {
        // SAFETY: as for `load`, block by block.
        unsafe {
            let x = _mm512_castps128_ps512(_mm_loadu_ps(from));
            let x = _mm512_insertf32x4::<1>(x, _mm_loadu_ps(from.add(stride)));
            let x = _mm512_insertf32x4::<2>(x, _mm_loadu_ps(from.add(2 * stride)));
            _mm512_insertf32x4::<3>(x, _mm_loadu_ps(from.add(3 * stride)))
        }
    }

    #[inline(always)]
    fn transpose4(self, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
        // SAFETY: the token proves the instructions, as in all methods below.
        unsafe {
            let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (low2, high2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            [
                _mm512_unpacklo_epi64(low, low2),
                _mm512_unpackhi_epi64(low, low2),
                _mm512_unpacklo_epi64(high, high2),
                _mm512_unpackhi_epi64(high, high2),
            ]
        }
    }

    #[inline(always)]
    fn select_less(self, a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: as in `transpose4`.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x) }
    }

    vector_operations! {
        fn splat(x: f32) -> __m512 = _mm512_set1_ps;
        fn splat_i32(x: i32) -> __m512i = _mm512_set1_epi32;
        fn add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps;
        fn sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps;
        fn mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps;
        fn div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps;
        fn sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps;
        fn max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps;
        fn min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps;
        fn to_f32(a: __m512i) -> __m512 = _mm512_cvtepi32_ps;
        fn to_bits(a: __m512) -> __m512i = _mm512_castps_si512;
        fn with_bits(a: __m512i) -> __m512 = _mm512_castsi512_ps;
        fn add_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32;
        fn mul_i32(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi32;
        fn splat_i16(x: i16) -> __m512i = _mm512_set1_epi16;
        fn sub_i16(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi16;
        fn max_i16(a: __m512i, b: __m512i) -> __m512i = _mm512_max_epi16;
        fn and(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512;
        fn or(a: __m512i, b: __m512i) -> __m512i = _mm512_or_si512;
    }

    #[inline(always)]
    fn shl<const N: u32>(self, a: __m512i) -> __m512i {
        // SAFETY: as in `transpose4`.
        unsafe { _mm512_slli_epi32::<N>(a) }
    }
}
