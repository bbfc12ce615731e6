//! WebAssembly with 128-bit SIMD.
//!
//! A module with an instruction that the host does not know is not loaded at all, so nothing is detected: the build
//! decides (`-C target-feature=+simd128`).

mod products;
mod vector;

use crate::groups::product_kernels;
use crate::vector::float_kernels;
use crate::{Isa, Kernels};

/// Proof of `simd128`, without which this module does not exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simd128;

impl Kernels for Simd128 {
    fn isa(&self) -> Isa {
        Isa::Simd128
    }

    product_kernels!();
    float_kernels!("simd128");
}

/// The kernels of an instruction set, if this build has them.
pub(crate) fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Simd128 => Some(&Simd128),
        _ => None,
    }
}
