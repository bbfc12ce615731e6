//! Vectors of four lanes.

use core::arch::wasm32::*;

use super::Simd128;
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
