//! Which kernels this machine has.
//!
//! Detection is done anew by every call (on x86-64 `cpuid`, which is slow under some hypervisors): select once and
//! keep the reference.

use crate::scalar::Scalar;
use crate::{Isa, Kernels};

#[cfg(all(target_arch = "aarch64", target_feature = "neon", not(miri)))]
use crate::aarch64 as architecture;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::wasm32 as architecture;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::x86_64 as architecture;

/// An architecture without kernels of its own.
#[cfg(any(
    miri,
    not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
mod architecture {
    use crate::{Isa, Kernels};

    pub(crate) fn kernels_for(_: Isa) -> Option<&'static dyn Kernels> {
        None
    }
}

/// The kernels of an instruction set, if this machine (and its operating system) can run them.
pub fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Scalar => Some(&Scalar),
        isa => architecture::kernels_for(isa),
    }
}

/// The instruction sets that this machine has kernels for, the plainest first.
pub fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|&isa| kernels_for(isa).is_some())
}

/// The fastest kernels of this machine.
pub fn best() -> &'static dyn Kernels {
    // Within an architecture `Isa::ALL` runs from the slowest to the fastest.
    Isa::ALL.into_iter().rev().find_map(kernels_for).unwrap_or(&Scalar)
}
