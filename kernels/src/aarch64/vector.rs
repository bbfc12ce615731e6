//! Vectors of four lanes.

use core::arch::aarch64::*;

use super::token::{Dotprod, I8mm, Neon};
use crate::math::MANTISSA;
use crate::vector::{Vector, vector_operations};

/// Tokens that prove Advanced SIMD.
trait AdvancedSimd: Copy {}
impl AdvancedSimd for Neon {}
impl AdvancedSimd for Dotprod {}
impl AdvancedSimd for I8mm {}

/// Intrinsics on memory.
macro_rules! memory {
    ($(fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $intrinsic:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self, $($arg: $type),*) $(-> $result)? {
            // SAFETY: the token proves Advanced SIMD, the caller that the memory may be used.
            unsafe { $intrinsic }
        }
    )*};
}

impl<T: AdvancedSimd> Vector for T {
    const LANES: usize = 4;
    type F32 = float32x4_t;
    type I32 = int32x4_t;
    type I16 = int16x8_t;

    memory! {
        fn load(from: *const f32) -> float32x4_t = vld1q_f32(from);
        fn store(x: float32x4_t, to: *mut f32) = vst1q_f32(to, x);
        fn load_i32(from: *const i32) -> int32x4_t = vld1q_s32(from);
        fn store_i32(x: int32x4_t, to: *mut i32) = vst1q_s32(to, x);
        fn load_i16(from: *const i16) -> int16x8_t = vld1q_s16(from);
        fn store_i16(x: int16x8_t, to: *mut i16) = vst1q_s16(to, x);
        fn load_i8(from: *const i8) -> int32x4_t = {
            let four = vcreate_s8(u64::from(from.cast::<u32>().read_unaligned()));
            vmovl_s16(vget_low_s16(vmovl_s8(four)))
        };
        fn load_f16(from: *const u16) -> float32x4_t = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
        fn store_bytes(x: int32x4_t, to: *mut i8) = {
            let halves = vmovn_s32(x);
            let bytes = vreinterpret_u32_s8(vmovn_s16(vcombine_s16(halves, halves)));
            to.cast::<u32>().write_unaligned(vget_lane_u32::<0>(bytes));
        };
        fn store_bytes4(x: [int32x4_t; 4], to: *mut i8) = {
            let [a, b, c, d] = x.map(|x| vreinterpretq_s8_s32(x));
            // Even bytes twice: the low byte of each lane.
            vst1q_s8(to, vuzp1q_s8(vuzp1q_s8(a, b), vuzp1q_s8(c, d)));
        };
        fn load_blocks(from: *const f32, _stride: usize) -> float32x4_t = vld1q_f32(from);
        fn store_blocks(x: int32x4_t, to: *mut i8, _stride: usize) = vst1q_s8(to, vreinterpretq_s8_s32(x));
    }

    vector_operations! {
        fn splat(x: f32) -> float32x4_t = vdupq_n_f32;
        fn splat_i32(x: i32) -> int32x4_t = vdupq_n_s32;
        fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32;
        fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32;
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32;
        fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32;
        fn sqrt(a: float32x4_t) -> float32x4_t = vsqrtq_f32;
        fn abs(a: float32x4_t) -> float32x4_t = vabsq_f32;
        fn to_f32(a: int32x4_t) -> float32x4_t = vcvtq_f32_s32;
        fn to_bits(a: float32x4_t) -> int32x4_t = vreinterpretq_s32_f32;
        fn with_bits(a: int32x4_t) -> float32x4_t = vreinterpretq_f32_s32;
        fn add_i32(a: int32x4_t, b: int32x4_t) -> int32x4_t = vaddq_s32;
        fn mul_i32(a: int32x4_t, b: int32x4_t) -> int32x4_t = vmulq_s32;
        fn splat_i16(x: i16) -> int16x8_t = vdupq_n_s16;
        fn sub_i16(a: int16x8_t, b: int16x8_t) -> int16x8_t = vsubq_s16;
        fn max_i16(a: int16x8_t, b: int16x8_t) -> int16x8_t = vmaxq_s16;
        fn and(a: int32x4_t, b: int32x4_t) -> int32x4_t = vandq_s32;
        fn or(a: int32x4_t, b: int32x4_t) -> int32x4_t = vorrq_s32;
    }

    // `fmax` and `fmin` treat what is not a number otherwise than `max` and `min` here.
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        self.select_less(b, a, a, b)
    }

    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        self.select_less(a, b, a, b)
    }

    #[inline(always)]
    fn select_less(self, a: float32x4_t, b: float32x4_t, x: float32x4_t, y: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves Advanced SIMD, here and below.
        unsafe { vbslq_f32(vcltq_f32(a, b), x, y) }
    }

    #[inline(always)]
    fn shl<const N: u32>(self, a: int32x4_t) -> int32x4_t {
        // SAFETY: as above. (The compiler makes it the shift by a constant, whose intrinsic wants an i32.)
        unsafe { vshlq_s32(a, vdupq_n_s32(N as i32)) }
    }

    #[inline(always)]
    fn to_score(self, a: float32x4_t, b: float32x4_t) -> int16x8_t {
        let most = self.splat(32_767.0);
        // Conversion and narrowing saturate.
        // SAFETY: as above.
        unsafe {
            let (a, b) = (vcvtnq_s32_f32(self.min(a, most)), vcvtnq_s32_f32(self.min(b, most)));
            vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))
        }
    }

    #[inline(always)]
    fn exp2_score(self, steps: int16x8_t, dither: int16x8_t) -> int16x8_t {
        let [c0, c1, c2] = MANTISSA.map(|c| self.splat_i16(c as i16));
        // SAFETY: as above.
        unsafe {
            let r = vandq_s16(steps, self.splat_i16(31));
            let mantissa = vmlsq_s16(c0, r, vmlsq_s16(c1, r, c2));
            let octaves = vminq_u16(vshrq_n_u16::<5>(vreinterpretq_u16_s16(steps)), vdupq_n_u16(15));
            let count = vsubq_s16(self.splat_i16(-1), vreinterpretq_s16_u16(octaves));
            let shifted = vshlq_u16(vreinterpretq_u16_s16(mantissa), count);
            vreinterpretq_s16_u16(vshrq_n_u16::<7>(vaddq_u16(shifted, vreinterpretq_u16_s16(dither))))
        }
    }

    #[inline(always)]
    fn quads_i16(self, [a, b, c, d]: [int16x8_t; 4]) -> [int32x4_t; 2] {
        // SAFETY: as above.
        unsafe {
            let (ab, cd) = (vsliq_n_s16::<8>(a, b), vsliq_n_s16::<8>(c, d));
            [vreinterpretq_s32_s16(vzip1q_s16(ab, cd)), vreinterpretq_s32_s16(vzip2q_s16(ab, cd))]
        }
    }

    #[inline(always)]
    fn add_bytes(self, sum: int32x4_t, quads: int32x4_t) -> int32x4_t {
        // SAFETY: as above.
        unsafe {
            let pairs = vpaddlq_u8(vreinterpretq_u8_s32(quads));
            vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(sum), pairs))
        }
    }

    #[inline(always)]
    fn reduce_add(self, x: int32x4_t) -> i32 {
        // SAFETY: as above.
        unsafe { vaddvq_s32(x) }
    }

    #[inline(always)]
    fn quads(self, x: [int32x4_t; 4]) -> int32x4_t {
        // SAFETY: as above.
        unsafe {
            let [a, b, c, d] = x.map(|x| vreinterpretq_s8_s32(x));
            // The low bytes of two vectors side by side, then those pairs.
            let (ab, cd) = (vtrn1q_s8(a, b), vtrn1q_s8(c, d));
            vreinterpretq_s32_s16(vtrn1q_s16(vreinterpretq_s16_s8(ab), vreinterpretq_s16_s8(cd)))
        }
    }

    #[inline(always)]
    fn transpose4(self, [a, b, c, d]: [int32x4_t; 4]) -> [int32x4_t; 4] {
        // SAFETY: as above.
        unsafe {
            let [even_ab, odd_ab] = [vtrn1q_s32(a, b), vtrn2q_s32(a, b)].map(|x| vreinterpretq_s64_s32(x));
            let [even_cd, odd_cd] = [vtrn1q_s32(c, d), vtrn2q_s32(c, d)].map(|x| vreinterpretq_s64_s32(x));
            [
                vtrn1q_s64(even_ab, even_cd),
                vtrn1q_s64(odd_ab, odd_cd),
                vtrn2q_s64(even_ab, even_cd),
                vtrn2q_s64(odd_ab, odd_cd),
            ]
            .map(|x| vreinterpretq_s32_s64(x))
        }
    }
}
