//! AVX-512 F, BW, VL and VNNI: `vpdpbusd` over 16 lanes.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes, so activations are made unsigned by flipping their top bit, which
//! adds 128, and an accumulator starts at −128 · (sum of the row's weights). All of that wraps, and the result fits.
//! Rows of activations lie in memory that way already; see [`rows`].

mod dense;
mod input_block;
mod output_block;
mod rows;
mod vector;

use super::token::token;
use crate::Isa;
use crate::implementation::{Implementation, delegate, for_products, for_vector_functions};
use crate::operands::ArrangeRowsOperands;
use crate::vector::{self as vector_functions, Vector, with_features};

/// The products by their names; each enables the features further inside.
mod products {
    pub(super) use super::dense::{context, scores};
    pub(super) use super::input_block::input_block;
    pub(super) use super::output_block::output_block;
}

token! {
    /// Proof that AVX-512 F, BW, VL and VNNI can be used.
    Avx512Vnni, avx512vnni
}

impl Implementation for Avx512Vnni {
    fn instruction_set(&self) -> Isa {
        Isa::Avx512Vnni
    }

    fn run_arrange_rows(&self, operands: ArrangeRowsOperands<'_>) {
        rows::arrange(operands);
    }

    for_products!(delegate!(products;));
    for_vector_functions!(with_features!("avx512f,avx512bw,avx512vl,avx512vnni" vector_functions Vector;));
}
