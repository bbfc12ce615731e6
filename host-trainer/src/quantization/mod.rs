//! The int8 grids of the packed model, and the factors by which outlier features are smoothed before rounding.
//!
//! Packing rounds with them, quantization-aware training rounds straight through on them.

mod grid;
mod smoothing;
mod weights;

pub use grid::Grid;
pub(crate) use grid::round;
pub use smoothing::{Smoothing, layer_norm_before, smoothing_factors};
pub(crate) use weights::{halves, quantize_weights};
