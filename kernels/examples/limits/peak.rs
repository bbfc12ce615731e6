//! The machine's limits: int8 dot products, float operations and memory streams.

use core::hint::black_box;

use blockspan_kernels::Isa;

use super::measure::{Aligned, shortest};

/// int8 multiply-adds per second of the instruction set's dot-product pattern in registers: `vpdpbusd`, or
/// sign + `pmaddubsw` + `pmaddwd` + add. `None` where no pattern was written down.
pub fn dot_products(isa: Isa) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    return x86_64::dot_products(isa);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        None
    }
}

/// Single-precision operations per second (as many multiplications as additions) in registers.
pub fn floats(isa: Isa) -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    return x86_64::floats(isa);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        None
    }
}

/// Bytes per second, read and written, of the system's copy of `bytes` bytes.
pub fn copy(bytes: usize) -> f64 {
    let from = Aligned::new(bytes, |i| i as u8);
    let mut to = Aligned::new(bytes, |_| 0u8);
    let time = shortest(|| black_box(&mut *to).copy_from_slice(black_box(&from)));
    2.0 * bytes as f64 / time
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use core::arch::asm;
    use core::arch::x86_64::*;
    use core::hint::black_box;

    use blockspan_kernels::{Isa, available};

    use super::shortest;

    const ROUNDS: usize = 1000;

    /// A function that advances some independent accumulators by one step, `ROUNDS` times.
    macro_rules! pattern {
        ($name:ident, $features:literal, $register:ident, $count:literal, $zero:expr, |$acc:ident, $x:ident| $step:expr) => {
            #[target_feature(enable = $features)]
            unsafe fn $name() {
                let $x = black_box($zero);
                let mut all = [$zero; $count];
                for _ in 0..ROUNDS {
                    for slot in &mut all {
                        let mut $acc = *slot;
                        $acc = $step;
                        // SAFETY: no instruction at all; it hides the value from the compiler.
                        unsafe { asm!("/* {0} */", inout($register) $acc, options(pure, nomem, nostack)) };
                        *slot = $acc;
                    }
                }
                black_box(all);
            }
        };
    }

    pattern!(dot512, "avx512f,avx512vnni", zmm_reg, 24, _mm512_setzero_si512(), |acc, x| {
        _mm512_dpbusd_epi32(acc, x, x)
    });
    pattern!(dot_vnni, "avx2,avxvnni", ymm_reg, 12, _mm256_setzero_si256(), |acc, x| {
        _mm256_dpbusd_avx_epi32(acc, x, x)
    });
    pattern!(dot256, "avx2", ymm_reg, 10, _mm256_setzero_si256(), |acc, x| {
        let signed: __m256i;
        // As assembly, or the compiler would do it once.
        // SAFETY: the function enables the instruction, which touches these registers only.
        unsafe {
            asm!("vpsignb {0}, {1}, {1}", lateout(ymm_reg) signed, in(ymm_reg) x,
                options(nomem, nostack, preserves_flags));
        }
        _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(x, signed), x))
    });
    pattern!(dot128, "ssse3,sse4.1", xmm_reg, 10, _mm_setzero_si128(), |acc, x| {
        let mut signed = x;
        // SAFETY: as above.
        unsafe {
            asm!("psignb {0}, {1}", inout(xmm_reg) signed, in(xmm_reg) x,
                options(nomem, nostack, preserves_flags));
        }
        _mm_add_epi32(acc, _mm_madd_epi16(_mm_maddubs_epi16(x, signed), x))
    });
    pattern!(float512, "avx512f", zmm_reg, 24, _mm512_setzero_ps(), |acc, x| {
        _mm512_add_ps(_mm512_mul_ps(acc, x), x)
    });
    pattern!(float256, "avx2", ymm_reg, 12, _mm256_setzero_ps(), |acc, x| {
        _mm256_add_ps(_mm256_mul_ps(acc, x), x)
    });
    pattern!(float128, "sse4.1", xmm_reg, 12, _mm_setzero_ps(), |acc, x| _mm_add_ps(_mm_mul_ps(acc, x), x));

    pub fn dot_products(isa: Isa) -> Option<f64> {
        let (pattern, accumulators, bytes): (unsafe fn(), usize, usize) = match isa {
            Isa::Avx512Vnni => (dot512, 24, 64),
            Isa::AvxVnni => (dot_vnni, 12, 32),
            Isa::Avx2 => (dot256, 10, 32),
            Isa::Sse41 => (dot128, 10, 16),
            _ => return None,
        };
        Some((accumulators * bytes) as f64 / time_of_round(isa, pattern)?)
    }

    pub fn floats(isa: Isa) -> Option<f64> {
        let (pattern, accumulators, lanes): (unsafe fn(), usize, usize) = match isa {
            Isa::Avx512Vnni => (float512, 24, 16),
            Isa::AvxVnni | Isa::Avx2 => (float256, 12, 8),
            Isa::Sse41 => (float128, 12, 4),
            _ => return None,
        };
        Some(2.0 * (accumulators * lanes) as f64 / time_of_round(isa, pattern)?)
    }

    fn time_of_round(isa: Isa, pattern: unsafe fn()) -> Option<f64> {
        available().find(|&found| found == isa)?;
        // SAFETY: the instruction set, which includes the pattern's features, is available.
        Some(shortest(|| unsafe { pattern() }) / ROUNDS as f64)
    }
}
