//! GELU in its erf form, x·Φ(x) = ½·x·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016; BERT's `gelu`).
//!
//! x·Φ(x) = max(x, 0) − g(|x|) with g(a) = ½·a·erfc(a/√2), a single hump of at most 0.17 that is 0 at a = 0 and dies
//! off at a ≈ 4. So g(a) ≈ a · (s · p(s))² with s = 3.85 − a and a cubic p: both ends come out right by themselves, and
//! there is neither an exponential nor a division. The error is a hundredth of the step to which int8 rounds the result
//! of a token whose largest value is 3.

use super::{ROUND, abs, horner, max, min};

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

/// Half the range in which gelu(x) lies for values of at most `most`: from −[`GELU_HUMP`] to gelu(most), which counts as
/// [`GELU_HUMP`] if it is less. 127 steps of a token's int8 grid are so long.
#[inline]
pub fn gelu_half_range(most: f32) -> f32 {
    (max(gelu(most), GELU_HUMP) + GELU_HUMP) * 0.5
}

/// What is added to the int8 of GELU's result: x ≈ `scale` · (q + zero point). It puts −[`GELU_HUMP`] at −127 and half
/// the range at 0, as nearly as an integer can, so that 0 stays exact; 0 to 127, 0 for a scale of 0.
#[inline]
pub fn gelu_zero_point(scale: f32) -> i32 {
    127 - (min(GELU_HUMP / scale, 127.0) + ROUND - ROUND) as i32
}

/// A value of GELU on its grid, gelu(x) / `scale` − zero point, to int8, ties to even; 127 for what is larger or not a
/// number. Nothing is below −128, since no value of GELU is below −[`GELU_HUMP`].
#[inline]
pub fn gelu_to_i8(x: f32) -> i8 {
    (min(x, 127.0) + ROUND).to_bits() as u8 as i8
}

#[cfg(test)]
mod tests {
    use super::{GELU_HUMP, gelu, gelu_half_range, gelu_to_i8, gelu_zero_point};
    use crate::scalar;

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
    fn the_affine_grid_holds_every_value_of_a_token_to_half_a_step_and_zero_exactly() {
        for most in (-10..60).map(|i| i as f32 * 0.1) {
            let half_range = gelu_half_range(most);
            let (scale, zero_point) = (scalar::scale(half_range), gelu_zero_point(scalar::scale(half_range)));
            assert!((0..=127).contains(&zero_point), "{zero_point} of at most {most}");
            let on_grid = |value: f32| {
                let q = gelu_to_i8(value * (127.0 / half_range) - zero_point as f32);
                scale * (i32::from(q) + zero_point) as f32
            };
            assert_eq!(on_grid(0.0), 0.0, "0 of at most {most}");
            // The zero point is an integer, so the ends of the grid lie up to half a step inside of the range.
            let allowed = scale * 0.501;
            for x in (-100_000..=100_000).step_by(STEP).map(|i| i as f32 * 1e-4).filter(|&x| x <= most) {
                assert!((on_grid(gelu(x)) - gelu(x)).abs() <= allowed, "{x} of at most {most}");
            }
        }
    }

    #[test]
    fn the_zero_point_of_no_grid_is_zero() {
        assert_eq!((gelu_zero_point(0.0), gelu_zero_point(scalar::scale(GELU_HUMP))), (0, 0));
        assert_eq!((gelu_half_range(f32::NAN), gelu_half_range(-5.0)), (GELU_HUMP, GELU_HUMP));
        assert_eq!(gelu_half_range(f32::INFINITY), f32::INFINITY);
        assert_eq!(gelu_zero_point(f32::MAX), 127);
    }
}
