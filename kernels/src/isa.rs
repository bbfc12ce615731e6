//! The instruction sets that kernels exist for.

use core::fmt;
use core::str::FromStr;

/// An instruction set, as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust: the definition.
    Scalar,
    /// x86-64 with SSSE3 and SSE4.1.
    Sse41,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX2 and AVX-VNNI (256-bit `vpdpbusd`).
    AvxVnni,
    /// x86-64 with AVX-512 F, BW, VL and VNNI (512-bit `vpdpbusd`).
    Avx512Vnni,
    /// AArch64 Advanced SIMD without the dot product.
    Neon,
    /// AArch64 with `sdot`.
    Dotprod,
    /// AArch64 with `smmla` and `usdot`.
    I8mm,
    /// WebAssembly's 128-bit SIMD.
    Simd128,
}

impl Isa {
    /// All of them, the plainest first.
    pub const ALL: [Isa; 9] = [
        Isa::Scalar,
        Isa::Sse41,
        Isa::Avx2,
        Isa::AvxVnni,
        Isa::Avx512Vnni,
        Isa::Neon,
        Isa::Dotprod,
        Isa::I8mm,
        Isa::Simd128,
    ];

    /// The name as it is written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Sse41 => "sse41",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avxvnni",
            Isa::Avx512Vnni => "avx512vnni",
            Isa::Neon => "neon",
            Isa::Dotprod => "dotprod",
            Isa::I8mm => "i8mm",
            Isa::Simd128 => "simd128",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownIsa;

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an instruction set; use one of")?;
        Isa::ALL.iter().try_for_each(|isa| write!(f, " {isa}"))
    }
}

impl core::error::Error for UnknownIsa {}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
        Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or(UnknownIsa)
    }
}
