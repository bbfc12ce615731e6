//! GELU in its erf form, x·Φ(x) = ½·x·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016; BERT's `gelu`).
//!
//! x·Φ(x) = max(x, 0) − g(|x|) with g(a) = ½·a·erfc(a/√2), a single hump of at most 0.17 that is 0 at a = 0 and dies
//! off at a ≈ 4. So g(a) ≈ a · (s · p(s))² with s = 3.85 − a and a cubic p: both ends come out right by themselves, and
//! there is neither an exponential nor a division. The error is a hundredth of the step to which int8 rounds the result
//! of a token whose largest value is 3.

use super::{abs, horner, max, min};

/// Where g is taken to be 0; g(3.85) = 2.3e-4.
pub const GELU_LIMIT: f32 = 3.852_979_4;

/// √(g(a) / a) / s as a polynomial in s = 3.85 − a, constant term first: fitted so that g's absolute error is even.
pub const GELU_ROOT: [f32; 4] = [0.055_352_077, -0.045_536_11, 0.042_933_33, -0.005_828_141_7];

/// No result is below minus this: the largest value of g, rounded up.
pub const GELU_HUMP: f32 = 0.17;

/// ½·x·(1 + erf(x/√2)), absolute error below 2.5e-4.
#[inline]
pub fn gelu(x: f32) -> f32 {
    let a = min(abs(x), GELU_LIMIT);
    let s = GELU_LIMIT - a;
    let root = s * horner(&GELU_ROOT, s);
    max(x, 0.0) - (root * root) * a
}

/// The largest |gelu(x)| that values of at most `most` can have, and at least [`GELU_HUMP`].
#[inline]
pub fn gelu_absmax(most: f32) -> f32 {
    max(gelu(most), GELU_HUMP)
}

#[cfg(test)]
mod tests {
    use super::{gelu, gelu_absmax};

    /// Of how many arguments one is tried: in Miri each takes some ten thousand times as long.
    const STEP: usize = if cfg!(miri) { 9_973 } else { 1 };

    /// erf by its Maclaurin series (small x) and the continued fraction of erfc, in double precision.
    fn erf(x: f64) -> f64 {
        let a = x.abs();
        let value = if a < 3.0 {
            let (mut term, mut sum) = (a, a);
            for n in 1..80 {
                term *= -a * a / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * 2.0 / core::f64::consts::PI.sqrt()
        } else {
            let fraction = (1..60).rev().fold(a, |tail, k| a + f64::from(k) / 2.0 / tail);
            1.0 - (-a * a).exp() / fraction / core::f64::consts::PI.sqrt()
        };
        value.copysign(x)
    }

    #[test]
    fn gelu_is_within_its_stated_error() {
        let worst = (-1_000_000..=1_000_000).step_by(STEP).map(|i| i as f32 * 1e-5).map(|x| {
            let exact = 0.5 * f64::from(x) * (1.0 + erf(f64::from(x) / core::f64::consts::SQRT_2));
            (f64::from(gelu(x)) - exact).abs()
        });
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 2.5e-4, "{worst:e}");
    }

    #[test]
    fn the_reference_erf_is_right() {
        for (x, y) in
            [(0.5, 0.520_499_877_813_046_5), (1.0, 0.842_700_792_949_714_9), (3.5, 0.999_999_256_901_627_7)]
        {
            assert!((erf(x) - y).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn large_and_odd_arguments() {
        assert_eq!((gelu(100.0), gelu(-1e30), gelu(0.0)), (100.0, 0.0, 0.0));
        assert_eq!((gelu(f32::INFINITY), gelu(f32::NEG_INFINITY)), (f32::INFINITY, 0.0));
        assert_eq!(gelu(f32::NAN), 0.0);
    }

    #[test]
    fn no_value_of_a_token_is_larger_than_its_absmax() {
        for most in (0..60).map(|i| i as f32 * 0.1) {
            let absmax = gelu_absmax(most);
            // A rounding error above it would be clamped by the quantization.
            let legal = absmax * (1.0 + 1e-6);
            for x in (-100_000..=100_000).step_by(STEP).map(|i| i as f32 * 1e-4).filter(|&x| x <= most) {
                assert!(gelu(x).abs() <= legal, "{x} of at most {most}");
            }
        }
    }
}
