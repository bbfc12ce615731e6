//! AArch64: Advanced SIMD, without a dot product, with `sdot`, and with `smmla`.

mod dotprod;
mod i8mm;
mod neon;
mod token;
mod vector;

pub use token::{Dotprod, I8mm, Neon};

use core::arch::aarch64::int32x4_t;

use crate::{Isa, Kernels};

/// Sums of 16 lanes.
type Sums = [int32x4_t; 4];

/// The kernels of an instruction set, if this machine can run them.
pub(crate) fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Neon => Neon::kernels(),
        Isa::Dotprod => Dotprod::kernels(),
        Isa::I8mm => I8mm::kernels(),
        _ => None,
    }
}
