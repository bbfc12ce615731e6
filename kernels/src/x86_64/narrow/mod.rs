//! The int8 products of 128-bit and 256-bit vectors, written once.
//!
//! [`Dot`] is what an instruction set adds to [`Vector`]; [`narrow_kernels`] instantiates everything inside functions
//! that enable its features.

mod dense;
mod input_block;
mod output_block;

pub(super) use dense::dense;
pub(super) use input_block::input_block;
pub(super) use output_block::output_block;

use crate::vector::Vector;

/// Dot products of quads of int8.
///
/// Methods must be `#[inline(always)]`, as those of [`Vector`].
pub(super) trait Dot: Vector {
    /// Activations, ready to be multiplied.
    type X: Copy;

    /// An accumulator of int8 activations starts at this times the sum of the row's weights.
    const SIGNED_START: i32;
    /// The same for u8 activations.
    const UNSIGNED_START: i32;

    /// Rows of the dense product that are done together.
    const DENSE_ROWS: usize;

    /// Bytes in [−128, 127].
    fn signed(self, x: Self::I32) -> Self::X;

    /// Bytes in [0, 255].
    fn unsigned(self, x: Self::I32) -> Self::X;

    /// Adds to each lane the products of its 4 bytes; weights in [−127, 127].
    fn dot(self, acc: Self::I32, x: Self::X, weights: Self::I32) -> Self::I32;

    /// Low halves of blocks of 128 bits interleaved: bytes of `a` and `b`, 8 of each.
    fn unpack_low_bytes(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// High halves.
    fn unpack_high_bytes(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Low halves of blocks of 128 bits interleaved: 16-bit lanes.
    fn unpack_low_pairs(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// High halves.
    fn unpack_high_pairs(self, a: Self::I32, b: Self::I32) -> Self::I32;

    /// First the low blocks of 128 bits of both, then the high ones; one block each: unchanged.
    fn blocks_in_order(self, pair: [Self::I32; 2]) -> [Self::I32; 2];

    /// The lowest block of 128 bits, the others 0.
    fn first_block(self, x: Self::I32) -> Self::I32;

    /// 16 bytes in each block of 128 bits, from `from` and (if there is a second block) from `second`.
    ///
    /// # Safety
    /// Both must be valid for reads of 16 bytes.
    unsafe fn load_halves(self, from: *const i8, second: *const i8) -> Self::I32;

    /// Lane `I` of each block of 128 bits in all lanes of the block.
    fn spread<const I: i32>(self, x: Self::I32) -> Self::I32;

    /// The four quads at `from` in every lane, one after the other.
    ///
    /// # Safety
    /// `from` must be valid for reads of 16 bytes.
    #[inline(always)]
    unsafe fn four_quads(self, from: *const i8) -> [Self::I32; 4] {
        // SAFETY: the caller's promise.
        let all = unsafe { self.load_halves(from, from) };
        [
            self.spread::<0x00>(all),
            self.spread::<0x55>(all),
            self.spread::<0xaa>(all),
            self.spread::<0xff>(all),
        ]
    }
}

/// The methods of [`crate::Kernels`] for a token that implements [`Dot`].
macro_rules! narrow_kernels {
    ($features:literal) => {
        fn output_block(
            &self,
            matrix: &$crate::matrix::OutputBlock<'_>,
            strips: core::ops::Range<usize>,
            x: &[i8],
            x_scales: &[f32],
            mut epilogue: $crate::Epilogue<'_>,
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            /// # Safety
            /// As for the function that it calls; the features must be there.
            #[target_feature(enable = $features)]
            unsafe fn run<const LANES: usize, const SHIFT: u32>(
                token: $crate::vector::Token<impl $crate::x86_64::narrow::Dot>,
                matrix: &$crate::matrix::OutputBlock<'_>,
                strips: core::ops::Range<usize>,
                x: *const i8,
                finish: $crate::vector::Finish,
                out: *mut f32,
            ) {
                use $crate::x86_64::narrow::output_block;
                // SAFETY: the caller's promise.
                unsafe { output_block::<_, LANES, SHIFT>(token.0, matrix, strips, x, finish, out) }
            }
            use $crate::scalar::block_sparse::check_output_block;
            let lanes = check_output_block(matrix, &strips, x, x_scales, &epilogue, out)?;
            let finish = $crate::vector::Finish::new(x_scales, &mut epilogue, 4 * strips.start);
            let (token, x, out) = ($crate::vector::Token(*self), x.as_ptr(), out.as_mut_ptr());
            // SAFETY: the token proves the instructions. `check_output_block` saw that `strips` lie in the matrix, that
            // `x` has `cols` rows of `row_lanes(lanes)` bytes, `out` 4 rows of `lanes` floats for each strip, and the
            // scales and the epilogue's slice `lanes` elements.
            unsafe {
                match lanes {
                    64 => run::<64, 6>(token, matrix, strips, x, finish, out),
                    48 => run::<48, 6>(token, matrix, strips, x, finish, out),
                    32 => run::<32, 5>(token, matrix, strips, x, finish, out),
                    _ => run::<16, 4>(token, matrix, strips, x, finish, out),
                }
            }
            Ok(())
        }

        fn input_block(
            &self,
            matrix: &$crate::matrix::InputBlock<'_>,
            strips: core::ops::Range<usize>,
            x: &[i8],
            x_scales: &[f32],
            mut epilogue: $crate::Epilogue<'_>,
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            /// # Safety
            /// As for the function that it calls; the features must be there.
            #[target_feature(enable = $features)]
            unsafe fn run(
                token: $crate::vector::Token<impl $crate::x86_64::narrow::Dot>,
                matrix: &$crate::matrix::InputBlock<'_>,
                rows: core::ops::Range<usize>,
                lanes: usize,
                x: *const i8,
                finish: $crate::vector::Finish,
                out: *mut f32,
            ) {
                // SAFETY: the caller's promise.
                unsafe { $crate::x86_64::narrow::input_block(token.0, matrix, rows, lanes, x, finish, out) }
            }
            use $crate::scalar::block_sparse::check_input_block;
            let lanes = check_input_block(matrix, &strips, x, x_scales, &epilogue, out)?;
            let finish = $crate::vector::Finish::new(x_scales, &mut epilogue, 4 * strips.start);
            let (token, rows) = ($crate::vector::Token(*self), 4 * strips.start..4 * strips.end);
            // SAFETY: as for the other product; `x` has `cols / 4` rows of `lanes` quads.
            unsafe { run(token, matrix, rows, lanes, x.as_ptr(), finish, out.as_mut_ptr()) }
            Ok(())
        }

        fn scores(
            &self,
            rows: &$crate::DenseRows<'_>,
            x: &[i8],
            x_scales: &[f32],
            most: &mut [i16],
            out: &mut [i16],
        ) -> Result<(), $crate::ShapeError> {
            let lanes = $crate::scalar::attention::check_scores(rows, x.len(), x_scales, most, out)?;
            let sink = $crate::vector::Scores::new(rows, x_scales, most, out);
            // SAFETY: `check_scores` saw that the slices of `rows` are long enough, that `x` has `cols / 4` rows of
            // `lanes` quads, and `out` a row for each row.
            unsafe { self.dense::<true>(rows, x.as_ptr().cast(), lanes, sink) }
            Ok(())
        }

        fn context(
            &self,
            rows: &$crate::DenseRows<'_>,
            x: &[u8],
            x_scales: &[f32],
            out: &mut [f32],
        ) -> Result<(), $crate::ShapeError> {
            let lanes = $crate::scalar::attention::check_context(rows, x.len(), x_scales, out)?;
            let sink = $crate::vector::Context::new(rows, x_scales, out);
            // SAFETY: as for `scores`.
            unsafe { self.dense::<false>(rows, x.as_ptr(), lanes, sink) }
            Ok(())
        }
    };
}
pub(super) use narrow_kernels;

/// An inherent method with both dense products, for [`narrow_kernels`].
macro_rules! narrow_dense {
    ($features:literal) => {
        /// Both dense products; `x` as bytes.
        ///
        /// # Safety
        /// As for the function that it calls.
        unsafe fn dense<const SIGNED: bool>(
            self,
            rows: &$crate::DenseRows<'_>,
            x: *const u8,
            lanes: usize,
            sink: impl $crate::vector::DenseSink<Self>,
        ) {
            /// # Safety
            /// As for the function that it calls; the features must be there.
            #[target_feature(enable = $features)]
            unsafe fn run<const SIGNED: bool, D: $crate::x86_64::narrow::Dot>(
                token: $crate::vector::Token<D>,
                rows: &$crate::DenseRows<'_>,
                x: *const u8,
                lanes: usize,
                sink: impl $crate::vector::DenseSink<D>,
            ) {
                // SAFETY: the caller's promise.
                unsafe { $crate::x86_64::narrow::dense::<D, SIGNED>(token.0, rows, x, lanes, sink) }
            }
            // SAFETY: the token proves the instructions; the caller vouches for the rest.
            unsafe { run::<SIGNED, _>($crate::vector::Token(self), rows, x, lanes, sink) }
        }
    };
}
pub(super) use narrow_dense;
