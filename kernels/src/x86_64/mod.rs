//! x86-64: SSE4.1, AVX2, AVX-VNNI and AVX-512 VNNI; AVX-512 BF16 for training.
//!
//! Each module has a zero-sized token whose constructor proves, by CPUID and the operating system's XSAVE state,
//! that its instructions can be used.

mod avx2;
#[cfg(feature = "std")]
mod avx512bf16;
mod avx512vnni;
mod avxvnni;
mod cpuid;
mod index;
mod products256;
mod sse41;
mod token;
mod ymm;

pub use avx2::Avx2;
#[cfg(feature = "std")]
pub use avx512bf16::Avx512Bf16;
pub use avx512vnni::Avx512Vnni;
pub use avxvnni::AvxVnni;
pub use sse41::Sse41;

use crate::{Isa, Kernels};

/// The kernels of an instruction set, if this machine can run them.
pub(crate) fn kernels_for(isa: Isa) -> Option<&'static dyn Kernels> {
    match isa {
        Isa::Sse41 => Sse41::kernels(),
        Isa::Avx2 => Avx2::kernels(),
        Isa::AvxVnni => AvxVnni::kernels(),
        Isa::Avx512Vnni => Avx512Vnni::kernels(),
        _ => None,
    }
}
