//! AVX2 without VNNI.
//!
//! `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs with *saturation* to 16 bits. It is exact here: the
//! magnitudes of the activations are at most 128 (−128 becomes 128, unsigned), the weights take over their signs
//! (`vpsignb`) and stay within ±127 because a validated matrix holds no −128, so that a pair is at most
//! 2 · 128 · 127 = 32,512 < 32,768 in magnitude. `vpmaddwd` by ones then adds pairs of those to 32 bits. An unsigned
//! activation (0 to 255) loses 128 first, and the accumulator starts at 128 · (sum of the row's weights).

use core::arch::x86_64::*;

use super::products256::{self, Dot, output_strips};
use super::token::token;
use super::ymm::{ymm_shuffles, ymm_vector};
use crate::Isa;
use crate::implementation::{Implementation, for_products, for_vector_functions};
use crate::vector::{self, Vector, with_features};

token! {
    /// Proof that AVX2 and F16C can be used.
    Avx2, avx2
}

impl Implementation for Avx2 {
    fn instruction_set(&self) -> Isa {
        Isa::Avx2
    }

    for_products!(with_features!("avx2,f16c" products256 Dot;));
    for_vector_functions!(with_features!("avx2,f16c" vector Vector;));
}

ymm_vector!(Avx2);

impl Dot for Avx2 {
    /// Magnitudes, and the values for their signs.
    type X = (__m256i, __m256i);

    const SIGNED_START: i32 = 0;
    const UNSIGNED_START: i32 = 128;
    const DENSE_ROWS: usize = 4;

    output_strips!("avx2,f16c");

    #[inline(always)]
    fn signed(self, x: __m256i) -> Self::X {
        // SAFETY: the token proves the instructions, as in the other methods.
        (unsafe { _mm256_abs_epi8(x) }, x)
    }

    #[inline(always)]
    fn unsigned(self, x: __m256i) -> Self::X {
        // SAFETY: as in `signed`.
        self.signed(unsafe { _mm256_xor_si256(x, _mm256_set1_epi8(-128)) })
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, (magnitudes, x): Self::X, weights: __m256i) -> __m256i {
        // SAFETY: as in `signed`.
        unsafe {
            let pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(weights, x));
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    ymm_shuffles!();
}
