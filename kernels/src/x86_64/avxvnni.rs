//! AVX-VNNI: `vpdpbusd` of 256 bits, for CPUs without AVX-512.
//!
//! Activations are made unsigned by flipping their top bit, which adds 128; see [`super::avx512vnni`].

use core::arch::x86_64::*;

use super::products256::{self, Dot, output_strips};
use super::token::token;
use super::ymm::{ymm_shuffles, ymm_vector};
use crate::Isa;
use crate::implementation::{Implementation, for_products, for_vector_functions};
use crate::vector::{self, Vector, with_features};

token! {
    /// Proof that AVX2, F16C and AVX-VNNI can be used.
    AvxVnni, avxvnni
}

impl Implementation for AvxVnni {
    fn instruction_set(&self) -> Isa {
        Isa::AvxVnni
    }

    for_products!(with_features!("avx2,f16c,avxvnni" products256 Dot;));
    for_vector_functions!(with_features!("avx2,f16c,avxvnni" vector Vector;));
}

ymm_vector!(AvxVnni);

impl Dot for AvxVnni {
    type X = __m256i;

    const SIGNED_START: i32 = -128;
    const UNSIGNED_START: i32 = 0;
    const DENSE_ROWS: usize = 6;

    output_strips!("avx2,f16c,avxvnni");

    #[inline(always)]
    fn signed(self, x: __m256i) -> __m256i {
        // SAFETY: the token proves the instructions, as in the other methods.
        unsafe { _mm256_xor_si256(x, _mm256_set1_epi8(-128)) }
    }

    #[inline(always)]
    fn unsigned(self, x: __m256i) -> __m256i {
        x
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, x: __m256i, weights: __m256i) -> __m256i {
        // SAFETY: as in `signed`.
        unsafe { _mm256_dpbusd_avx_epi32(acc, x, weights) }
    }

    ymm_shuffles!();
}
