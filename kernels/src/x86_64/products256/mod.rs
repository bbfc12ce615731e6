//! The int8 products of vectors of up to 256 bits (SSE4.1, AVX2, AVX-VNNI), written once.
//!
//! [`Dot`] is what an instruction set adds to [`Vector`]. As the vector functions, the products are instantiated by
//! [`with_features`](crate::vector::with_features).

mod dense;
mod input_block;
mod output_block;

pub(super) use dense::{context, scores};
pub(super) use input_block::input_block;
pub(super) use output_block::{output_block, strips};

use crate::operands::OutputBlockOperands;
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

    /// [`output_block::strips`] in a function of its own that enables the token's features, so that the compiler allocates
    /// registers for each number of lanes by itself.
    ///
    /// # Safety
    /// The features must be there, which the token proves.
    unsafe fn output_strips<const LANES: usize, const SHIFT: u32>(self, operands: OutputBlockOperands<'_>);

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

/// [`Dot::output_strips`] for a token that proves the features.
macro_rules! output_strips {
    ($features:literal) => {
        #[inline(never)]
        #[target_feature(enable = $features)]
        unsafe fn output_strips<const LANES: usize, const SHIFT: u32>(
            self,
            operands: $crate::operands::OutputBlockOperands<'_>,
        ) {
            $crate::x86_64::products256::strips::<Self, LANES, SHIFT>(self, operands);
        }
    };
}
pub(super) use output_strips;
