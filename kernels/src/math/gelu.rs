//! GELU in its erf form, x·Φ(x) = ½·x·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016; BERT's `gelu`).
//!
//! x·Φ(x) = max(x, 0) − g(|x|) with g(a) = ½·a·erfc(a/√2), a single hump of at most 0.17 that dies off at
//! a ≈ 4.5: a polynomial of degree 10 around the middle of [0, 4.5] needs no exponential and no division.

use super::{abs, horner, max, min};

/// Where g is taken to stay constant; g(4.5) = 1.5e-5.
pub const GELU_LIMIT: f32 = 4.5;

/// The point around which [`GELU_COEFFICIENTS`] expand g.
pub const GELU_CENTRE: f32 = 2.25;

/// g(a) as a polynomial in a − 2.25 on [0, 4.5], constant term first; absolute error 1.42e-5.
pub const GELU_COEFFICIENTS: [f32; 11] = [
    0.027_497_133,
    -0.059_128_67,
    0.048_709_61,
    -0.012_924_296,
    -0.007_919_506,
    0.007_539_774,
    -0.001_579_290_8,
    -0.000_603_964_7,
    0.000_268_528_33,
    1.473_887_8e-5,
    -1.280_705_8e-5,
];

/// ½·x·(1 + erf(x/√2)), absolute error below 3.1e-5 everywhere (1.5e-5 within ±4.5).
#[inline]
pub fn gelu(x: f32) -> f32 {
    let s = min(abs(x), GELU_LIMIT) - GELU_CENTRE;
    max(x, 0.0) - horner(&GELU_COEFFICIENTS, s)
}

#[cfg(test)]
mod tests {
    use super::gelu;

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
        let (mut near, mut far) = (0f64, 0f64);
        for i in -1_000_000..=1_000_000 {
            let x = i as f32 * 1e-5;
            let exact = 0.5 * f64::from(x) * (1.0 + erf(f64::from(x) / core::f64::consts::SQRT_2));
            let error = (f64::from(gelu(x)) - exact).abs();
            *(if x.abs() <= 4.5 { &mut near } else { &mut far }) =
                error.max(if x.abs() <= 4.5 { near } else { far });
        }
        assert!(near < 1.5e-5 && far < 3.1e-5, "{near:e} {far:e}");
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
        assert_eq!(gelu(100.0), 100.0 - gelu(-100.0).abs());
        assert!(gelu(-1e30).abs() < 3.1e-5);
        assert_eq!(gelu(f32::INFINITY), f32::INFINITY);
    }
}
