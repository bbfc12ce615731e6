//! x86-64: SSE4.1, AVX2, AVX-VNNI and AVX-512 VNNI.
//!
//! Each module has a zero-sized token whose constructor proves, by CPUID and the operating system's XSAVE state,
//! that its instructions can be used.

mod avx512vnni;
mod cpuid;
mod index;

pub use avx512vnni::Avx512Vnni;

use crate::{Isa, Kernels};

/// The kernels of an instruction set, if this machine can run them.
pub(crate) fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Avx512Vnni => Avx512Vnni::kernels(),
        _ => None,
    }
}
