//! The float kernels, written once over a vector of 32-bit lanes.
//!
//! [`Vector`] is what an instruction set's token provides; the functions of the submodules are instantiated by
//! [`float_kernels`] inside functions that enable its features. Lanes hold tokens, so every lane does the scalar
//! definition's sequence of operations and the bits are the same for each width.

mod embed;
mod epilogue;
mod linear;
mod normalize;
mod quantize;
mod softmax;

pub(crate) use embed::embed;
pub(crate) use epilogue::{ADD, Finish, GELU, Rows, STORE};
pub(crate) use linear::linear_f32;
pub(crate) use normalize::layer_norm;
pub(crate) use quantize::{absmax, quantize_quads, quantize_row, quantize_rows, quantize_tokens, row_absmax};
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
/// constant `$vectors` the vectors side by side, at most `$most` (1, 2 or 4).
macro_rules! for_columns {
    ($vector:ty, $lanes:expr, $most:literal, |$column:ident, $vectors:ident| $call:expr) => {{
        let (lanes, width) = ($lanes, <$vector>::LANES);
        let mut $column = 0;
        while $most >= 4 && $column + 4 * width <= lanes {
            const $vectors: usize = if $most >= 4 { 4 } else { 1 };
            $call;
            $column += 4 * width;
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

/// The float methods of [`crate::Kernels`] for an instruction set whose token (`Self`) implements [`Vector`]; to be
/// used inside its `impl Kernels`. `$features` is what `#[target_feature]` must enable.
macro_rules! float_kernels {
    ($features:literal) => {
        $crate::vector::float_kernels! {
            $features,
            fn absmax(x: &[f32], absmax: &mut [f32]) -> Result<(), $crate::ShapeError>;
            fn quantize_rows(x: &[f32], absmax: &[f32], out: &mut [i8], scales: &mut [f32])
                -> Result<(), $crate::ShapeError>;
            fn quantize_quads(x: &[f32], absmax: &[f32], out: &mut [i8], scales: &mut [f32])
                -> Result<(), $crate::ShapeError>;
            fn quantize_tokens(
                x: &[f32], absmax: &[f32], out: &mut [i8], scales: &mut [f32], sums: &mut [i32]
            ) -> Result<(), $crate::ShapeError>;
            fn row_absmax(x: &[f32]) -> f32;
            fn quantize_row(x: &[f32], absmax: f32, out: &mut [i8]) -> Result<i32, $crate::ShapeError>;
            fn softmax(scores: &[f32], out: &mut [u8], scales: &mut [f32]) -> Result<(), $crate::ShapeError>;
            fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32, absmax: &mut [f32])
                -> Result<(), $crate::ShapeError>;
            fn embed(
                tables: &$crate::Embeddings<'_>, ids: &[[u32; 2]], first_position: usize, lanes: usize,
                out: &mut [f32]
            ) -> Result<(), $crate::ShapeError>;
            fn linear_f32(weights: &[f32], bias: &[f32], x: &[f32], out: &mut [f32])
                -> Result<(), $crate::ShapeError>;
        }
    };
    ($features:literal, $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self, $($arg: $type),*) -> $result {
            /// # Safety
            /// The features must be there.
            #[target_feature(enable = $features)]
            unsafe fn run(token: $crate::vector::Token<impl $crate::vector::Vector>, $($arg: $type),*) -> $result {
                $crate::vector::$name(token.0, $($arg),*)
            }
            // SAFETY: a token exists only after its constructor found the features.
            unsafe { run($crate::vector::Token(*self), $($arg),*) }
        }
    )*};
}
pub(crate) use float_kernels;

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

/// A token on its way into a function that enables its features.
pub(crate) struct Token<V>(pub V);

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
