//! The float kernels, written once over a vector of 32-bit lanes.
//!
//! [`Vector`] is what an instruction set's token provides; the functions of the submodules are instantiated by
//! [`with_features`] inside functions that enable its features. Lanes hold tokens, so every lane does the scalar
//! definition's sequence of operations and the bits are the same for each width.

mod channels;
mod dense;
mod embed;
mod epilogue;
mod linear;
mod normalize;
mod quantize;
mod softmax;

pub(crate) use channels::{channel_absmax, quantize_channels};
pub(crate) use dense::{ContextSink, DenseSink, ScoresSink};
pub(crate) use embed::embed;
#[cfg(target_arch = "x86_64")]
pub(crate) use epilogue::{ADD, ADD_AFFINE, MAX, STORE};
pub(crate) use epilogue::{OutputRows, RawEpilogue};
pub(crate) use linear::linear_f32;
pub(crate) use normalize::layer_norm;
pub(crate) use quantize::{
    absmax, quantize_gelu_quads, quantize_gelu_rows, quantize_quads, quantize_rows, quantize_tokens,
};
pub(crate) use softmax::softmax;

use half::f16;

/// Vectors of 4, 8 or 16 lanes of 32 bits, as an instruction set provides them.
///
/// `Self` is a token that exists only where the instructions do, so that everything but access to memory is safe.
/// Methods must be `#[inline(always)]`: they become single instructions only inside a function that enables the
/// features. Float operations are IEEE-754, rounded to nearest even, none of them fused.
///
/// Loads and stores need no alignment beyond that of their element type.
pub(crate) trait Vector: Copy {
    /// Lanes: 4, 8 or 16.
    const LANES: usize;
    /// f32 lanes.
    type F32: Copy;
    /// i32 lanes; integer operations wrap.
    type I32: Copy;
    /// `2 · LANES` lanes of i16.
    type I16: Copy;

    /// # Safety
    /// `from` must be valid for reads of `LANES` elements.
    unsafe fn load(self, from: *const f32) -> Self::F32;

    /// # Safety
    /// `to` must be valid for writes of `LANES` elements.
    unsafe fn store(self, x: Self::F32, to: *mut f32);

    /// # Safety
    /// `from` must be valid for reads of `LANES` elements.
    unsafe fn load_i32(self, from: *const i32) -> Self::I32;

    /// # Safety
    /// `to` must be valid for writes of `LANES` elements.
    unsafe fn store_i32(self, x: Self::I32, to: *mut i32);

    /// Bytes, sign-extended.
    ///
    /// # Safety
    /// `from` must be valid for reads of `LANES` elements.
    unsafe fn load_i8(self, from: *const i8) -> Self::I32;

    /// Half precision, exactly converted; a NaN becomes a quiet one.
    ///
    /// # Safety
    /// `from` must be valid for reads of `LANES` elements.
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u16) -> Self::F32 {
        let mut lanes = [0f32; 16];
        for (i, lane) in lanes.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: `i` is below `LANES`, for which the caller vouches.
            *lane = f16::from_bits(unsafe { *from.add(i) }).to_f32();
        }
        // SAFETY: the array has 16 ≥ `LANES` elements.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// The low byte of each lane, `LANES` bytes.
    ///
    /// # Safety
    /// `to` must be valid for writes of `LANES` bytes.
    unsafe fn store_bytes(self, x: Self::I32, to: *mut i8);

    /// The low byte of each lane of four vectors, one after the other.
    ///
    /// # Safety
    /// `to` must be valid for writes of `4 · LANES` bytes.
    #[inline(always)]
    unsafe fn store_bytes4(self, x: [Self::I32; 4], to: *mut i8) {
        for (i, x) in x.into_iter().enumerate() {
            // SAFETY: the four parts of the 4 · `LANES` bytes for which the caller vouches.
            unsafe { self.store_bytes(x, to.add(i * Self::LANES)) }
        }
    }

    /// `K` vectors of a row of activations, each in [−128, 127], rounded to int8 (ties to even), in the form that
    /// [`crate::Kernels::arrange_rows`] describes.
    ///
    /// # Safety
    /// `to` must be valid for writes of `K · LANES` bytes, of `4 · LANES` if `K` is 3: a row of 48 lanes has room for 64.
    #[inline(always)]
    unsafe fn store_row<const K: usize>(self, x: [Self::F32; K], to: *mut i8) {
        let rounded = each!([self.splat_i32(0); K], |k| {
            self.to_bits(self.add(x[k], self.splat(crate::math::ROUND)))
        });
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(&four) = rounded.as_slice().as_array() {
                self.store_bytes4(four, to);
            } else {
                for (k, q) in rounded.into_iter().enumerate() {
                    self.store_bytes(q, to.add(k * Self::LANES));
                }
            }
        }
    }

    /// # Safety
    /// `from` must be valid for reads of `2 · LANES` elements.
    unsafe fn load_i16(self, from: *const i16) -> Self::I16;

    /// # Safety
    /// `to` must be valid for writes of `2 · LANES` elements.
    unsafe fn store_i16(self, x: Self::I16, to: *mut i16);

    /// Every lane `x`.
    fn splat_i16(self, x: i16) -> Self::I16;
    /// `a − b`, wrapping.
    fn sub_i16(self, a: Self::I16, b: Self::I16) -> Self::I16;
    /// The larger of two integers.
    fn max_i16(self, a: Self::I16, b: Self::I16) -> Self::I16;

    /// [`crate::math::to_score`] of two vectors, in the order in which [`Vector::quads_i16`] takes them apart again.
    fn to_score(self, a: Self::F32, b: Self::F32) -> Self::I16;

    /// [`crate::math::exp2_score`] of unsigned lanes, in the form that [`Vector::quads_i16`] takes; that of 0 is 0.
    fn exp2_score(self, steps: Self::I16, dither: Self::I16) -> Self::I16;

    /// The weights of four vectors of [`Vector::exp2_score`] side by side, as [`Vector::quads`], for the lanes of the first
    /// and of the second vector of [`Vector::to_score`].
    fn quads_i16(self, x: [Self::I16; 4]) -> [Self::I32; 2];

    /// `sum` plus the four unsigned bytes of each lane.
    fn add_bytes(self, sum: Self::I32, quads: Self::I32) -> Self::I32;

    /// The largest lane; none is NaN.
    #[inline(always)]
    fn reduce_max(self, x: Self::F32) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        // SAFETY: the array has 16 ≥ `LANES` elements.
        unsafe { self.store(x, lanes.as_mut_ptr()) }
        // Halves against each other: four steps instead of a chain of sixteen.
        let mut half = lanes.len() / 2;
        while half > 0 {
            let (low, high) = lanes.split_at_mut(half);
            low.iter_mut().zip(high).for_each(|(low, high)| *low = crate::math::max(*high, *low));
            half /= 2;
        }
        lanes[0]
    }

    /// The sum of the lanes, wrapping.
    #[inline(always)]
    fn reduce_add(self, x: Self::I32) -> i32 {
        let mut lanes = [0; 16];
        // SAFETY: as in `reduce_max`.
        unsafe { self.store_i32(x, lanes.as_mut_ptr()) }
        lanes.into_iter().fold(0, i32::wrapping_add)
    }

    /// Lanes `4b .. 4b + 4` from `from + b · stride`, for each `b` below `LANES / 4`.
    ///
    /// # Safety
    /// Each of these places must be valid for reads of 4 elements.
    unsafe fn load_blocks(self, from: *const f32, stride: usize) -> Self::F32;

    /// Lanes `4b .. 4b + 4`, 16 bytes, to `to + b · stride`, for each `b` below `LANES / 4`.
    ///
    /// # Safety
    /// Each of these places must be valid for writes of 16 bytes.
    unsafe fn store_blocks(self, x: Self::I32, to: *mut i8, stride: usize);

    /// Transposes the 4×4 matrices that lanes `4b .. 4b + 4` of the four vectors are: lane `4b + i` of result `j`
    /// is lane `4b + j` of argument `i`.
    fn transpose4(self, x: [Self::I32; 4]) -> [Self::I32; 4];

    /// Every lane `x`.
    fn splat(self, x: f32) -> Self::F32;
    /// Every lane `x`.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// `a + b`
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a − b`
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a · b`
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Square root.
    fn sqrt(self, a: Self::F32) -> Self::F32;
    /// [`crate::math::max`]: `a > b ? a : b`.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// [`crate::math::min`]: `a < b ? a : b`.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a < b ? x : y`; `y` if either of the former is not a number.
    fn select_less(self, a: Self::F32, b: Self::F32, x: Self::F32, y: Self::F32) -> Self::F32;
    /// The nearest f32 of each integer, ties to even.
    fn to_f32(self, a: Self::I32) -> Self::F32;
    /// The bits of each lane.
    fn to_bits(self, a: Self::F32) -> Self::I32;
    /// The lanes with these bits.
    fn with_bits(self, a: Self::I32) -> Self::F32;
    /// `a + b`, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The low 32 bits of `a · b`.
    fn mul_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Bitwise and.
    fn and(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Bitwise or.
    fn or(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Shift to the left by a constant.
    fn shl<const N: u32>(self, a: Self::I32) -> Self::I32;

    /// Absolute value, by clearing the sign.
    #[inline(always)]
    fn abs(self, a: Self::F32) -> Self::F32 {
        self.with_bits(self.and(self.to_bits(a), self.splat_i32(0x7fff_ffff)))
    }

    /// The low bytes of four vectors side by side: byte `i` of lane `l` is the low byte of lane `l` of argument `i`.
    #[inline(always)]
    fn quads(self, x: [Self::I32; 4]) -> Self::I32 {
        let [a, b, c, d] = x;
        let byte = self.splat_i32(0xff);
        let low = self.or(self.and(a, byte), self.shl::<8>(self.and(b, byte)));
        let high = self.or(self.shl::<16>(self.and(c, byte)), self.shl::<24>(d));
        self.or(low, high)
    }

    /// [`crate::math::horner`].
    #[inline(always)]
    fn horner<const N: usize>(self, coefficients: &[f32; N], x: Self::F32) -> Self::F32 {
        let mut sum = self.splat(0.0);
        for (i, &c) in coefficients.iter().rev().enumerate() {
            sum = if i == 0 { self.splat(c) } else { self.add(self.mul(sum, x), self.splat(c)) };
        }
        sum
    }
}

/// An array with `$value` for each index `$k`, `$zero` being any array of its type: a plain loop, since a closure
/// handed to the standard library may end up a function of its own, which lacks the target features and cannot
/// inline intrinsics.
macro_rules! each {
    ($zero:expr, |$k:ident| $value:expr) => {{
        let mut all = $zero;
        for $k in 0..all.len() {
            all[$k] = $value;
        }
        all
    }};
}
use each;

/// Runs `$call` for each group of columns of a tile of `$lanes` lanes, with `$column` its first lane and the
/// constant `$vectors` the vectors side by side, at most `$most` (1, 2 or 4). Three only if they are all of 48 lanes.
macro_rules! for_columns {
    ($vector:ty, $lanes:expr, $most:literal, |$column:ident, $vectors:ident| $call:expr) => {{
        let (lanes, width) = ($lanes, <$vector>::LANES);
        let mut $column = 0;
        while $most >= 4 && $column + 4 * width <= lanes {
            const $vectors: usize = if $most >= 4 { 4 } else { 1 };
            $call;
            $column += 4 * width;
        }
        if $most >= 4 && width == 16 && lanes == 48 {
            const $vectors: usize = if $most >= 4 { 3 } else { 1 };
            $call;
            $column += 3 * width;
        }
        while $most >= 2 && $column + 2 * width <= lanes {
            const $vectors: usize = if $most >= 2 { 2 } else { 1 };
            $call;
            $column += 2 * width;
        }
        while $column + width <= lanes {
            const $vectors: usize = 1;
            $call;
            $column += width;
        }
    }};
}
use for_columns;

/// Methods of [`Implementation`](crate::implementation::Implementation) by the functions of a module that take a token and
/// operands, each inside a function that enables `$features`. The token must prove these and implement `$bound`.
macro_rules! with_features {
    ($features:literal $module:ident $bound:path; $($name:ident => $run:ident($operands:ident);)*) => {$(
        fn $run(&self, operands: $crate::operands::$operands<'_>) {
            /// # Safety
            /// The features must be there.
            #[target_feature(enable = $features)]
            unsafe fn run(
                token: $crate::vector::Token<impl $bound>,
                operands: $crate::operands::$operands<'_>,
            ) {
                $module::$name(token.0, operands);
            }
            // SAFETY: a token exists only after its constructor found the features.
            unsafe { run($crate::vector::Token(*self), operands) }
        }
    )*};
}
pub(crate) use with_features;

/// A token on its way into a function that enables its features.
pub(crate) struct Token<V>(pub V);

/// Methods of [`Vector`] that are one intrinsic each.
#[cfg(not(target_arch = "wasm32"))] // whose intrinsics are safe
macro_rules! vector_operations {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $type),*) -> $result {
            // SAFETY: the token proves that the instruction can be used.
            unsafe { $intrinsic($($arg),*) }
        }
    )*};
}
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use vector_operations;

/// Columns of a buffer `[rows][lanes]`: where a group of vectors reads or writes.
#[derive(Clone, Copy)]
struct Columns {
    rows: usize,
    lanes: usize,
    column: usize,
}

impl Columns {
    /// Offset of a row's part in the group of columns.
    #[inline(always)]
    fn at(self, row: usize) -> usize {
        row * self.lanes + self.column
    }
}
