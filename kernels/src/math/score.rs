//! Attention scores as 16-bit logarithms, and their powers of two.
//!
//! A score is an integer in units of 1/32 of an octave: a step changes a weight by 2.2 %, so that rounding errs by 1.1 %
//! at most, of the order of what rounding weights to 1/255 does to them anyway. 16 bits reach ±1023 octaves, beyond
//! which scores are cut off.

use super::{ROUND, max, min};

/// Steps of a score in an octave, a doubling of the weight.
pub const SCORE_STEPS: f32 = 32.0;

/// 255 · 256 · 2^(−r/32) for r in 0..32 as c₀ − r · (c₁ − r · c₂), relative error below 1.8e-3.
pub const MANTISSA: [u16; 3] = [65_220, 1367, 11];

/// The nearest integer, ties to even, cut off at ±32,767 (−32,768 below); 32,767 for what is not a number.
#[inline]
pub fn to_score(x: f32) -> i16 {
    (max(min(x, 32_767.0), -32_768.0) + ROUND).to_bits() as u16 as i16
}

/// round(255 · 2^(−steps/32)), from 255 down to 0: the weight of a score that is `steps` below the largest one.
#[inline]
pub fn exp2_score(steps: u16) -> u8 {
    let [c0, c1, c2] = MANTISSA;
    let (octaves, r) = (u32::from(steps >> 5), steps & 31);
    let mantissa = c0 - r * (c1 - r * c2);
    // A shift by one more than the octaves and a rounding one by 7 make 8.
    let shifted = u32::from(mantissa) >> (octaves.min(15) + 1);
    ((shifted + 64) >> 7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_within_their_stated_error() {
        for steps in (0..=u16::MAX).step_by(if cfg!(miri) { 251 } else { 1 }) {
            let exact = 255.0 * (-f64::from(steps) / 32.0).exp2();
            let got = f64::from(exp2_score(steps));
            assert!((got - exact).abs() <= 0.5 + 1.8e-3 * exact, "{steps}: {got} for {exact}");
        }
        assert_eq!((exp2_score(0), exp2_score(32), exp2_score(u16::MAX)), (255, 127, 0));
        let steps = if cfg!(miri) { 1..=500 } else { 1..=u16::MAX };
        assert!(steps.into_iter().all(|steps| exp2_score(steps) <= exp2_score(steps - 1)));
    }

    #[test]
    fn scores_are_rounded_to_even_and_cut_off() {
        for (x, score) in [
            (0.5, 0),
            (1.5, 2),
            (-2.5, -2),
            (32_766.6, i16::MAX),
            (1e30, i16::MAX),
            (-32_768.4, i16::MIN),
            (-1e30, i16::MIN),
            (f32::INFINITY, i16::MAX),
            (f32::NEG_INFINITY, i16::MIN),
            (f32::NAN, i16::MAX),
        ] {
            assert_eq!(to_score(x), score, "{x}");
        }
    }
}
