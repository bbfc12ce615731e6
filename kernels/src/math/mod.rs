//! exp, GELU, square root and rounding, defined once so that a vector of any width gives the same bits.
//!
//! Each is a fixed sequence of IEEE-754 single-precision operations (add, subtract, multiply, compare-select and
//! integer operations on the bits), all of them rounded to nearest even and none of them fused. The tests hold
//! the stated errors against double precision.
//!
//! The polynomials are minimax fits (Lawson-weighted least squares on 4,000 Chebyshev nodes), rounded to single
//! precision.

mod gelu;
mod score;
mod sqrt;

pub use gelu::{GELU_HUMP, GELU_LIMIT, GELU_ROOT, gelu, gelu_half_range, gelu_to_i8, gelu_zero_point};
pub use score::{DITHER, MANTISSA, SCORE_STEPS, exp2_score, to_score};
pub use sqrt::sqrt;

/// 1.5 · 2²³: adding it to |x| < 2²² rounds x to an integer, ties to even, and leaves that integer in the low
/// bits of the sum.
pub const ROUND: f32 = 12_582_912.0;

/// log2(e).
pub const LOG2_E: f32 = core::f32::consts::LOG2_E;

/// 2^f on [−½, ½], relative error 1.9e-9 before rounding of the coefficients.
const EXP2: [f32; 7] = [
    1.0,
    core::f32::consts::LN_2,
    0.240_226_46,
    0.055_503_286,
    0.009_618_489,
    0.001_339_993_1,
    0.000_153_458_12,
];

/// The larger of two; `b` if either is not a number (the rule of x86's `maxps`).
#[inline]
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two; `b` if either is not a number (the rule of x86's `minps`).
#[inline]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Absolute value.
#[inline]
pub fn abs(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7fff_ffff)
}

/// Nearest integer in [−127, 127], ties to even; −127 for what is not a number.
#[inline]
pub fn round_to_i8(x: f32) -> i8 {
    (min(max(x, -127.0), 127.0) + ROUND).to_bits() as u8 as i8
}

/// e^x, relative error below 6e-6 on [−87, 88]; 0 below, about 1.7e38 above.
pub fn exp(x: f32) -> f32 {
    let t = x * LOG2_E;
    if t < -126.0 {
        return 0.0;
    }
    let t = min(max(t, -126.0), 127.0);
    let rounded = t + ROUND;
    let f = t - (rounded - ROUND);
    scale_by_power_of_two(horner(&EXP2, f), rounded)
}

/// c₀ + x·(c₁ + x·(c₂ + …)), multiplication and addition rounded separately.
#[inline]
pub fn horner<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    coefficients.iter().rev().copied().reduce(|sum, c| sum * x + c).unwrap_or(0.0)
}

/// Multiplies by 2^n, n the integer in the low bits of `rounded` (see [`ROUND`]), by adding to the exponent.
#[inline]
fn scale_by_power_of_two(x: f32, rounded: f32) -> f32 {
    f32::from_bits(x.to_bits().wrapping_add(rounded.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn grid(from: f64, to: f64, steps: usize) -> Vec<f32> {
        (0..=steps).map(|i| (from + (to - from) * i as f64 / steps as f64) as f32).collect()
    }

    #[test]
    fn exp_is_within_its_stated_error() {
        let worst = grid(-87.0, 88.0, if cfg!(miri) { 400 } else { 400_000 })
            .into_iter()
            .map(|x| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < 6e-6, "{worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::INFINITY).is_finite());
    }

    #[test]
    fn rounding_is_to_even_and_clamped() {
        for (x, q) in [(0.5, 0), (1.5, 2), (-0.5, 0), (-1.5, -2), (126.5, 126), (127.5, 127), (1e30, 127)] {
            assert_eq!(round_to_i8(x), q, "{x}");
        }
        assert_eq!(round_to_i8(-1e30), -127);
        assert_eq!(round_to_i8(f32::NAN), -127);
        assert_eq!(round_to_i8(f32::INFINITY), 127);
    }

    #[test]
    fn selection_follows_the_second_operand_on_nan() {
        assert_eq!(max(f32::NAN, 1.0), 1.0);
        assert!(max(1.0, f32::NAN).is_nan());
        assert_eq!(min(f32::NAN, 1.0), 1.0);
        assert_eq!(abs(-0.0).to_bits(), 0);
    }
}
