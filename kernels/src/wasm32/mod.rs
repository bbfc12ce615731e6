//! WebAssembly with 128-bit SIMD.
//!
//! A module with an instruction that the host does not know is not loaded at all, so nothing is detected: the build
//! decides (`-C target-feature=+simd128`).

mod products;
mod vector;

use crate::implementation::{Implementation, delegate, for_products, for_vector_functions};
use crate::vector::{self as vector_functions, Vector, with_features};
use crate::{Isa, Kernels, products128};

/// Proof of `simd128`, without which this module does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simd128;

impl Implementation for Simd128 {
    fn instruction_set(&self) -> Isa {
        Isa::Simd128
    }

    for_products!(delegate!(products128;));
    for_vector_functions!(with_features!("simd128" vector_functions Vector;));
}

/// The kernels of an instruction set, if this build has them.
pub(crate) fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Simd128 => Some(&Simd128),
        _ => None,
    }
}
