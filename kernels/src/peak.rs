//! The limits of the processor that runs this: dot products of int8 and float operations in registers.
//!
//! A kernel's time means little by itself; as a share of the time that its arithmetic alone would take it can be compared
//! between machines. Measure the peak right before or after the kernel: clock rates change.

use std::time::Instant;

use crate::Isa;

/// Repetitions of a measurement.
const REPETITIONS: usize = 60;

/// The shortest time of one call among many, in seconds.
///
/// Takes about a tenth of a second.
pub fn shortest(mut call: impl FnMut()) -> f64 {
    call();
    let once = seconds(1, &mut call).max(1e-8);
    // About a millisecond at a time: short enough to fit between interruptions.
    let calls = ((1e-3 / once) as usize).clamp(1, 100_000);
    (0..REPETITIONS).map(|_| seconds(calls, &mut call)).fold(f64::INFINITY, f64::min)
}

/// Seconds for one call, by the mean of `calls`.
fn seconds(calls: usize, call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_secs_f64() / calls as f64
}

/// int8 multiply-adds per second of one core, by the dot-product pattern of an instruction set in registers: `vpdpbusd`, or
/// sign + `pmaddubsw` + `pmaddwd` + add. `None` where this CPU lacks the instruction set or no pattern was written down
/// (any but x86-64's).
pub fn dot_products(isa: Isa) -> Option<f64> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    return x86_64::dot_products(isa);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        let _ = isa;
        None
    }
}

/// Single-precision operations per second of one core, as many multiplications as additions, in registers. `None` as for
/// [`dot_products`].
pub fn floats(isa: Isa) -> Option<f64> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    return x86_64::floats(isa);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        let _ = isa;
        None
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86_64 {
    use core::arch::asm;
    use core::arch::x86_64::*;
    use core::hint::black_box;

    use super::shortest;
    use crate::{Isa, available};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::available;

    #[test]
    fn a_peak_is_that_of_an_instruction_set_that_is_there() {
        for isa in available() {
            let (dots, floats) = (dot_products(isa), floats(isa));
            assert_eq!(dots.is_some(), floats.is_some(), "{isa:?}");
            assert!(dots.into_iter().chain(floats).all(|peak| peak.is_finite() && peak > 0.0), "{isa:?}");
        }
        assert_eq!(dot_products(Isa::Scalar), None);
    }
}
