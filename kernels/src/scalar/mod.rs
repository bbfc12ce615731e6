//! The definition of every kernel, in plain Rust.
//!
//! Each function does, for every lane by itself, a fixed sequence of operations; the other modules give the same
//! bits. Written to be read; the compiler vectorizes some of it anyway.

mod attention;
mod block_sparse;
mod channels;
mod embed;
mod normalize;
mod quantize;

pub use quantize::scale;
with_vectors! {
    pub(crate) use {
        embed::TableRow,
        quantize::{SMALLEST_ABSMAX, inverse_scale},
    };
}

use crate::Isa;
use crate::implementation::{Implementation, delegate, for_products, for_vector_functions};

/// The scalar kernels: available everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

/// All kernels by their names.
mod kernels {
    pub(super) use super::attention::*;
    pub(super) use super::block_sparse::*;
    pub(super) use super::channels::*;
    pub(super) use super::embed::*;
    pub(super) use super::normalize::*;
    pub(super) use super::quantize::*;
}

impl Implementation for Scalar {
    fn instruction_set(&self) -> Isa {
        Isa::Scalar
    }

    for_products!(delegate!(kernels;));
    for_vector_functions!(delegate!(kernels;));
}
