//! SSSE3 and SSE4.1: vectors of 4 lanes.
//!
//! [`Dot::dot`] as in [`super::avx2`].

use core::arch::x86_64::*;

use super::products256::{self, Dot, output_strips};
use super::token::token;
use crate::Isa;
use crate::implementation::{Implementation, for_products, for_vector_functions};
use crate::math::MANTISSA;
use crate::vector::{self, Vector, vector_operations, with_features};

token! {
    /// Proof that SSSE3 and SSE4.1 can be used.
    Sse41, sse41
}

impl Implementation for Sse41 {
    fn instruction_set(&self) -> Isa {
        Isa::Sse41
    }

    for_products!(with_features!("ssse3,sse4.1" products256 Dot;));
    for_vector_functions!(with_features!("ssse3,sse4.1" vector Vector;));
}

impl Dot for Sse41 {
    /// Magnitudes, and the values for their signs.
    type X = (__m128i, __m128i);

    const SIGNED_START: i32 = 0;
    const UNSIGNED_START: i32 = 128;
    const DENSE_ROWS: usize = 4;

    output_strips!("ssse3,sse4.1");

    #[inline(always)]
    fn signed(self, x: __m128i) -> Self::X {
        // SAFETY: the token proves the instructions, as in all methods below.
        (unsafe { _mm_abs_epi8(x) }, x)
    }

    #[inline(always)]
    fn unsigned(self, x: __m128i) -> Self::X {
        // SAFETY: as in `signed`.
        self.signed(unsafe { _mm_xor_si128(x, _mm_set1_epi8(-128)) })
    }

    #[inline(always)]
    fn dot(self, acc: __m128i, (magnitudes, x): Self::X, weights: __m128i) -> __m128i {
        // SAFETY: as in `signed`.
        unsafe {
            let pairs = _mm_maddubs_epi16(magnitudes, _mm_sign_epi8(weights, x));
            _mm_add_epi32(acc, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))
        }
    }

    #[inline(always)]
    fn blocks_in_order(self, pair: [__m128i; 2]) -> [__m128i; 2] {
        pair
    }

    #[inline(always)]
    fn first_block(self, x: __m128i) -> __m128i {
        x
    }

    #[inline(always)]
    unsafe fn load_halves(self, from: *const i8, _: *const i8) -> __m128i {
        // SAFETY: the caller vouches for the memory, the token for the instruction.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    fn spread<const I: i32>(self, x: __m128i) -> __m128i {
        // SAFETY: as in `signed`.
        unsafe { _mm_shuffle_epi32::<I>(x) }
    }

    vector_operations! {
        fn unpack_low_bytes(a: __m128i, b: __m128i) -> __m128i = _mm_unpacklo_epi8;
        fn unpack_high_bytes(a: __m128i, b: __m128i) -> __m128i = _mm_unpackhi_epi8;
        fn unpack_low_pairs(a: __m128i, b: __m128i) -> __m128i = _mm_unpacklo_epi16;
        fn unpack_high_pairs(a: __m128i, b: __m128i) -> __m128i = _mm_unpackhi_epi16;
    }
}

impl Vector for Sse41 {
    const LANES: usize = 4;
    type F32 = __m128;
    type I32 = __m128i;
    type I16 = __m128i;

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m128 {
        // SAFETY: the caller vouches for the memory, the token for the instruction.
        unsafe { _mm_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, x: __m128, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_i32(self, from: *const i32) -> __m128i {
        // SAFETY: as for `load`.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i32(self, x: __m128i, to: *mut i32) {
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_si128(to.cast(), x) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m128i {
        // SAFETY: as for `load`; `loadu_si32` reads 4 bytes.
        unsafe { _mm_cvtepi8_epi32(_mm_loadu_si32(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, x: __m128i, to: *mut i8) {
        // SAFETY: as for `load`; `storeu_si32` writes 4 bytes.
        unsafe {
            let bytes = _mm_shuffle_epi8(x, _mm_set1_epi32(0x0c08_0400));
            _mm_storeu_si32(to.cast(), bytes);
        }
    }

    #[inline(always)]
    unsafe fn store_bytes4(self, x: [__m128i; 4], to: *mut i8) {
        // SAFETY: as for `load`. Values of 0 to 255 survive packing with saturation.
        unsafe {
            let low_byte = |x| _mm_and_si128(x, _mm_set1_epi32(0xff));
            let [a, b, c, d] = [low_byte(x[0]), low_byte(x[1]), low_byte(x[2]), low_byte(x[3])];
            let bytes = _mm_packus_epi16(_mm_packus_epi32(a, b), _mm_packus_epi32(c, d));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }

    #[inline(always)]
    unsafe fn load_i16(self, from: *const i16) -> __m128i {
        // SAFETY: as for `load`.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i16(self, x: __m128i, to: *mut i16) {
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_si128(to.cast(), x) }
    }

    #[inline(always)]
    fn to_score(self, a: __m128, b: __m128) -> __m128i {
        // What is below −32,768 becomes that: out of the range of 32 bits it is the smallest integer, and packing
        // saturates.
        // SAFETY: the token proves the instructions, as in all methods below.
        unsafe {
            let most = _mm_set1_ps(32_767.0);
            let (a, b) = (_mm_min_ps(a, most), _mm_min_ps(b, most));
            _mm_packs_epi32(_mm_cvtps_epi32(a), _mm_cvtps_epi32(b))
        }
    }

    #[inline(always)]
    fn exp2_score(self, steps: __m128i, dither: __m128i) -> __m128i {
        // SAFETY: as in `to_score`.
        unsafe {
            let [c0, c1, c2] = MANTISSA.map(|c| _mm_set1_epi16(c as i16));
            let r = _mm_and_si128(steps, _mm_set1_epi16(31));
            let slope = _mm_sub_epi16(c1, _mm_mullo_epi16(r, c2));
            let mantissa = _mm_sub_epi16(c0, _mm_mullo_epi16(r, slope));
            // A shift by `octaves + 1` is a multiplication by 2^(15 − octaves), which a table has: its first half gives
            // the high byte, and through an index that is 8 further on (modulo 16) its second half the low one.
            let octaves = _mm_min_epu16(_mm_srli_epi16::<5>(steps), _mm_set1_epi16(15));
            let index = _mm_add_epi16(_mm_mullo_epi16(octaves, _mm_set1_epi16(0x101)), _mm_set1_epi16(8));
            let powers = _mm_setr_epi8(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
            let power = _mm_shuffle_epi8(powers, index);
            _mm_srli_epi16::<7>(_mm_add_epi16(_mm_mulhi_epu16(mantissa, power), dither))
        }
    }

    #[inline(always)]
    fn quads_i16(self, [a, b, c, d]: [__m128i; 4]) -> [__m128i; 2] {
        // SAFETY: as in `to_score`.
        unsafe {
            let ab = _mm_or_si128(a, _mm_slli_epi16::<8>(b));
            let cd = _mm_or_si128(c, _mm_slli_epi16::<8>(d));
            [_mm_unpacklo_epi16(ab, cd), _mm_unpackhi_epi16(ab, cd)]
        }
    }

    #[inline(always)]
    fn add_bytes(self, sum: __m128i, quads: __m128i) -> __m128i {
        // SAFETY: as in `to_score`.
        unsafe {
            let pairs = _mm_maddubs_epi16(quads, _mm_set1_epi8(1));
            _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn load_blocks(self, from: *const f32, _: usize) -> __m128 {
        // SAFETY: as for `load`.
        unsafe { _mm_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store_blocks(self, x: __m128i, to: *mut i8, _: usize) {
        // SAFETY: as for `load`.
        unsafe { _mm_storeu_si128(to.cast(), x) }
    }

    #[inline(always)]
    fn transpose4(self, [a, b, c, d]: [__m128i; 4]) -> [__m128i; 4] {
        // SAFETY: the token proves the instructions, as in all methods below.
        unsafe {
            let (low, high) = (_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
            let (low2, high2) = (_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
            [
                _mm_unpacklo_epi64(low, low2),
                _mm_unpackhi_epi64(low, low2),
                _mm_unpacklo_epi64(high, high2),
                _mm_unpackhi_epi64(high, high2),
            ]
        }
    }

    #[inline(always)]
    fn select_less(self, a: __m128, b: __m128, x: __m128, y: __m128) -> __m128 {
        // SAFETY: as in `transpose4`.
        unsafe { _mm_blendv_ps(y, x, _mm_cmplt_ps(a, b)) }
    }

    #[inline(always)]
    fn shl<const N: u32>(self, a: __m128i) -> __m128i {
        // SAFETY: as in `transpose4`.
        unsafe { _mm_sll_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }

    vector_operations! {
        fn splat(x: f32) -> __m128 = _mm_set1_ps;
        fn splat_i32(x: i32) -> __m128i = _mm_set1_epi32;
        fn add(a: __m128, b: __m128) -> __m128 = _mm_add_ps;
        fn sub(a: __m128, b: __m128) -> __m128 = _mm_sub_ps;
        fn mul(a: __m128, b: __m128) -> __m128 = _mm_mul_ps;
        fn div(a: __m128, b: __m128) -> __m128 = _mm_div_ps;
        fn sqrt(a: __m128) -> __m128 = _mm_sqrt_ps;
        fn max(a: __m128, b: __m128) -> __m128 = _mm_max_ps;
        fn min(a: __m128, b: __m128) -> __m128 = _mm_min_ps;
        fn to_f32(a: __m128i) -> __m128 = _mm_cvtepi32_ps;
        fn to_bits(a: __m128) -> __m128i = _mm_castps_si128;
        fn with_bits(a: __m128i) -> __m128 = _mm_castsi128_ps;
        fn add_i32(a: __m128i, b: __m128i) -> __m128i = _mm_add_epi32;
        fn mul_i32(a: __m128i, b: __m128i) -> __m128i = _mm_mullo_epi32;
        fn splat_i16(x: i16) -> __m128i = _mm_set1_epi16;
        fn sub_i16(a: __m128i, b: __m128i) -> __m128i = _mm_sub_epi16;
        fn max_i16(a: __m128i, b: __m128i) -> __m128i = _mm_max_epi16;
        fn and(a: __m128i, b: __m128i) -> __m128i = _mm_and_si128;
        fn or(a: __m128i, b: __m128i) -> __m128i = _mm_or_si128;
    }
}
