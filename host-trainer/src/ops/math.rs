//! Branch-free exponential and error function that compilers turn into vector code.

/// `eˣ`, relative error below 3e-7 where the result is a normal number; 0 below about −87.3.
///
/// Range reduction to `2ⁿ · eʳ`, |r| ≤ ln 2 / 2, and the polynomial of Cephes `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5e-1;
    let value = p * r * r + r + 1.0;
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.3 { 0.0 } else { value * scale }
}

/// log₂ x, absolute error below 2e-5; −127 for 0. `x` is not negative.
#[inline(always)]
pub(super) fn log2(x: f32) -> f32 {
    let exponent = (x.to_bits() >> 23) as i32 - 127;
    let mantissa = f32::from_bits(x.to_bits() & 0x007f_ffff | 0x3f80_0000);
    // 2·artanh(s) / ln 2 with s up to 1/3.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    exponent as f32 + s * (2.885_39 + z * (0.961_796_7 + z * (0.577_078 + z * 0.412_198_6)))
}

/// The standard normal distribution at `x`: its cumulative probability Φ(x) and its density φ(x).
///
/// Φ by Abramowitz and Stegun 7.1.26 (absolute error below 2e-7), which shares `exp(−x²/2)` with φ.
#[inline(always)]
pub(super) fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * core::f32::consts::FRAC_1_SQRT_2;
    let e = exp(-z * z);
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_7;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    let upper_tail = 0.5 * p * t * e;
    let cumulative = if x < 0.0 { upper_tail } else { 1.0 - upper_tail };
    (cumulative, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::{exp, log2, normal};

    #[test]
    fn log2_is_within_its_bound() {
        for i in 1..200_000 {
            let x = i as f32 * 1e-5;
            let error = (f64::from(log2(x)) - f64::from(x).log2()).abs();
            assert!(error < 2e-5, "log2({x}): error {error}");
        }
        assert_eq!((log2(1.0), log2(0.0)), (0.0, -127.0));
    }

    #[test]
    fn exp_is_within_its_bound() {
        for i in -87_000..88_000 {
            let x = i as f32 * 1e-3;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 3e-7, "exp({x}): relative error {error}");
        }
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn normal_matches_a_numerical_integral() {
        // Simpson's rule from 0 outwards, in f64.
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * core::f64::consts::PI).sqrt();
        let step = 1e-3;
        let mut cumulative = 0.5f64;
        for i in 0..6000 {
            let x = f64::from(i) * step;
            for (sign, expected) in [(1.0, cumulative), (-1.0, 1.0 - cumulative)] {
                let (c, d) = normal((x * sign) as f32);
                assert!((f64::from(c) - expected).abs() < 2.5e-7, "cumulative at {}", x * sign);
                assert!((f64::from(d) - density(x)).abs() < 2e-7, "density at {}", x * sign);
            }
            cumulative += step / 6.0 * (density(x) + 4.0 * density(x + step / 2.0) + density(x + step));
        }
    }
}
