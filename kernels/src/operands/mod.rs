//! What kernels are called with, and the checks that their `unsafe` code stands on.
//!
//! Each kernel has a type of operands. Its `check` is the only way to make a value, so whoever holds one knows that the
//! slices fit each other as the type's documentation says. [`crate::Kernels`] calls `check` and hands the value to the
//! instruction set's own code, which looks at no length again. Fields are for reading; nothing may assign to them.
//!
//! Sizes are multiplied by [`product`] and its like only, since on a 32-bit machine a product may exceed `usize`.

mod attention;
mod channels;
mod embed;
mod lanes;
mod normalize;
mod product;
mod quantize;

pub use attention::{ContextOperands, DenseRows, ScoresOperands, SoftmaxOperands};
pub use channels::{ChannelAbsmaxOperands, QuantizeChannelsOperands};
pub use embed::{EmbedOperands, Embeddings, Table};
pub use lanes::Lanes;
pub use normalize::{LayerNormOperands, LinearOperands};
pub use product::{Epilogue, InputBlockOperands, OutputBlockOperands};
pub use quantize::{
    AbsmaxOperands, ArrangeRowsOperands, QuantizeQuadsOperands, QuantizeRowsOperands, QuantizeTokensOperands,
};

with_vectors! {
    pub(crate) use {product::ProductOperands, quantize::QuantizeOperands};
}

use core::fmt;

/// The slices handed to a kernel do not fit each other. Nothing was computed and nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError;

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operands of a kernel do not fit each other")
    }
}

impl core::error::Error for ShapeError {}

/// A field that only a `check` can fill.
#[derive(Clone, Copy, Debug)]
struct Checked;

/// `Ok` if the condition holds.
fn ensure(fits: bool) -> Result<(), ShapeError> {
    if fits { Ok(()) } else { Err(ShapeError) }
}

/// The product of some sizes, if it does not exceed `usize`.
fn product<const N: usize>(sizes: [usize; N]) -> Option<usize> {
    sizes.into_iter().try_fold(1, usize::checked_mul)
}

/// `Ok` if the slice has as many elements as the product of the sizes.
fn has_len<T, const N: usize>(slice: &[T], sizes: [usize; N]) -> Result<(), ShapeError> {
    ensure(product(sizes) == Some(slice.len()))
}

/// `Ok` if `count` rows of `width` elements, the first of each `stride` elements after that of the row before, lie in the
/// slice without overlap.
fn has_rows<T>(slice: &[T], count: usize, stride: usize, width: usize) -> Result<(), ShapeError> {
    let Some(last) = count.checked_sub(1) else { return Ok(()) };
    let needed = product([last, stride]).and_then(|start| start.checked_add(width));
    ensure(width <= stride && needed.is_some_and(|needed| needed <= slice.len()))
}
