//! Vectors of four lanes.

use core::arch::wasm32::*;

use super::Simd128;
use crate::math::MANTISSA;
use crate::vector::Vector;

/// Methods that are one intrinsic each; those that touch no memory are safe wherever this module exists.
macro_rules! operations {
    ($(fn $name:ident($($arg:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: v128),*) -> v128 {
            $intrinsic($($arg),*)
        }
    )*};
}

impl Vector for Simd128 {
    const LANES: usize = 4;
    type F32 = v128;
    type I32 = v128;
    type I16 = v128;

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> v128 {
        // SAFETY: the caller vouches for the memory; no alignment is needed.
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, x: v128, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { v128_store(to.cast(), x) }
    }

    #[inline(always)]
    unsafe fn load_i32(self, from: *const i32) -> v128 {
        // SAFETY: as for `load`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i32(self, x: v128, to: *mut i32) {
        // SAFETY: as for `load`.
        unsafe { v128_store(to.cast(), x) }
    }

    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> v128 {
        // SAFETY: as for `load`.
        let bytes = unsafe { v128_load32_zero(from.cast()) };
        i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(bytes))
    }

    #[inline(always)]
    unsafe fn load_i16(self, from: *const i16) -> v128 {
        // SAFETY: as for `load`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_i16(self, x: v128, to: *mut i16) {
        // SAFETY: as for `load`.
        unsafe { v128_store(to.cast(), x) }
    }

    #[inline(always)]
    fn splat_i16(self, x: i16) -> v128 {
        i16x8_splat(x)
    }

    #[inline(always)]
    fn to_score(self, a: v128, b: v128) -> v128 {
        let most = self.splat(32_767.0);
        // Conversion and narrowing saturate.
        let [a, b] = [a, b].map(|x| i32x4_trunc_sat_f32x4(f32x4_nearest(self.min(x, most))));
        i16x8_narrow_i32x4(a, b)
    }

    #[inline(always)]
    fn exp2_score(self, steps: v128, dither: v128) -> v128 {
        let [c0, c1, c2] = MANTISSA.map(|c| i16x8_splat(c as i16));
        let r = v128_and(steps, i16x8_splat(31));
        let mantissa = i16x8_sub(c0, i16x8_mul(r, i16x8_sub(c1, i16x8_mul(r, c2))));
        // A shift by `octaves + 1` is a multiplication by 2^(15 − octaves), which a table has: its first half gives the
        // high byte, and through an index that is 8 further on (modulo 16) its second half the low one.
        let octaves = u16x8_min(u16x8_shr(steps, 5), i16x8_splat(15));
        let index = v128_xor(v128_or(octaves, i16x8_shl(octaves, 8)), i16x8_splat(8));
        let powers = i8x16(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
        let power = i8x16_swizzle(powers, index);
        let (low, high) = (u32x4_extmul_low_u16x8(mantissa, power), u32x4_extmul_high_u16x8(mantissa, power));
        // The high halves.
        let shifted = i16x8_shuffle::<1, 3, 5, 7, 9, 11, 13, 15>(low, high);
        u16x8_shr(i16x8_add(shifted, dither), 7)
    }

    #[inline(always)]
    fn quads_i16(self, [a, b, c, d]: [v128; 4]) -> [v128; 2] {
        let (ab, cd) = (v128_or(a, i16x8_shl(b, 8)), v128_or(c, i16x8_shl(d, 8)));
        [
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(ab, cd),
            i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(ab, cd),
        ]
    }

    #[inline(always)]
    fn add_bytes(self, sum: v128, quads: v128) -> v128 {
        i32x4_add(sum, u32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(quads)))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, x: v128, to: *mut i8) {
        let bytes = i8x16_shuffle::<0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12>(x, x);
        // SAFETY: as for `load`.
        unsafe { v128_store32_lane::<0>(bytes, to.cast()) }
    }

    #[inline(always)]
    unsafe fn store_bytes4(self, [a, b, c, d]: [v128; 4], to: *mut i8) {
        let ab = i8x16_shuffle::<0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28>(a, b);
        let cd = i8x16_shuffle::<0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28>(c, d);
        // SAFETY: as for `load`.
        unsafe { v128_store(to.cast(), i64x2_shuffle::<0, 2>(ab, cd)) }
    }

    #[inline(always)]
    unsafe fn load_blocks(self, from: *const f32, _stride: usize) -> v128 {
        // SAFETY: as for `load`.
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_blocks(self, x: v128, to: *mut i8, _stride: usize) {
        // SAFETY: as for `load`.
        unsafe { v128_store(to.cast(), x) }
    }

    #[inline(always)]
    fn transpose4(self, [a, b, c, d]: [v128; 4]) -> [v128; 4] {
        let (ab_low, ab_high) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (cd_low, cd_high) = (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        [
            i64x2_shuffle::<0, 2>(ab_low, cd_low),
            i64x2_shuffle::<1, 3>(ab_low, cd_low),
            i64x2_shuffle::<0, 2>(ab_high, cd_high),
            i64x2_shuffle::<1, 3>(ab_high, cd_high),
        ]
    }

    operations! {
        fn add(a, b) = f32x4_add;
        fn sub(a, b) = f32x4_sub;
        fn mul(a, b) = f32x4_mul;
        fn div(a, b) = f32x4_div;
        fn sqrt(a) = f32x4_sqrt;
        fn abs(a) = f32x4_abs;
        fn to_f32(a) = f32x4_convert_i32x4;
        fn add_i32(a, b) = i32x4_add;
        fn mul_i32(a, b) = i32x4_mul;
        fn sub_i16(a, b) = i16x8_sub;
        fn max_i16(a, b) = i16x8_max;
        fn and(a, b) = v128_and;
        fn or(a, b) = v128_or;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> v128 {
        f32x4_splat(x)
    }

    #[inline(always)]
    fn splat_i32(self, x: i32) -> v128 {
        i32x4_splat(x)
    }

    // `f32x4_pmax(a, b)` is `a < b ? b : a`, and `f32x4_pmin(a, b)` is `b < a ? b : a`.
    #[inline(always)]
    fn max(self, a: v128, b: v128) -> v128 {
        f32x4_pmax(b, a)
    }

    #[inline(always)]
    fn min(self, a: v128, b: v128) -> v128 {
        f32x4_pmin(b, a)
    }

    #[inline(always)]
    fn select_less(self, a: v128, b: v128, x: v128, y: v128) -> v128 {
        v128_bitselect(x, y, f32x4_lt(a, b))
    }

    #[inline(always)]
    fn to_bits(self, a: v128) -> v128 {
        a
    }

    #[inline(always)]
    fn with_bits(self, a: v128) -> v128 {
        a
    }

    #[inline(always)]
    fn shl<const N: u32>(self, a: v128) -> v128 {
        i32x4_shl(a, N)
    }
}
