//! The definition of every kernel, in plain Rust.
//!
//! Each function does, for every lane by itself, a fixed sequence of operations; the other modules give the same
//! bits. Written to be read; the compiler vectorizes some of it anyway.

pub(crate) mod attention;
pub(crate) mod block_sparse;
pub(crate) mod normalize;
pub(crate) mod quantize;

pub use attention::{context, scores, softmax};
pub use block_sparse::{input_block, output_block};
pub use normalize::{embed, layer_norm, linear_f32};
pub use quantize::{
    absmax, channel_absmax, quantize_channels, quantize_gelu_quads, quantize_gelu_rows, quantize_quads,
    quantize_rows, quantize_tokens, scale,
};

use crate::layout::TILE;
use crate::{Isa, Kernels, ShapeError};

/// The scalar kernels: available everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

impl Kernels for Scalar {
    fn isa(&self) -> Isa {
        Isa::Scalar
    }
}

/// The number of lanes if it is a legal one. `clamp` shows the compiler where it lies: without it divisions and chunks
/// would keep the code for panics.
pub(crate) fn check_lanes(lanes: usize) -> Result<usize, ShapeError> {
    if matches!(lanes, 16 | 32 | 48 | TILE) { Ok(lanes.clamp(16, TILE)) } else { Err(ShapeError) }
}

/// `Ok` if all the conditions of a shape hold.
pub(crate) fn ensure(fits: bool) -> Result<(), ShapeError> {
    if fits { Ok(()) } else { Err(ShapeError) }
}
