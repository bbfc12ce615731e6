//! Attention scores as 16-bit logarithms, and their powers of two.
//!
//! A score is an integer in units of 1/32 of an octave: a step changes a weight by 2.2 %, so that rounding errs by 1.1 %
//! at most. 16 bits reach ±1023 octaves, beyond which scores are cut off.
//!
//! Weights are rounded to 1/255 of the largest. In a long passage most are below 1/510; rounded to nearest they would all
//! vanish, and with them a good part of the sum. So the place at which a weight is rounded up differs from key to key
//! ([`DITHER`], ordered dithering): of many small weights the right number become 1.

use super::{ROUND, max, min};

/// Steps of a score in an octave, a doubling of the weight.
pub const SCORE_STEPS: f32 = 32.0;

/// 255 · 256 · 2^(−r/32) for r in 0..32 as c₀ − r · (c₁ − r · c₂), relative error below 1.8e-3.
pub const MANTISSA: [u16; 3] = [65_220, 1367, 11];

/// What is added to a weight before it is cut off to an integer, in 1/128, by the key's position modulo 4.
pub const DITHER: [u16; 4] = [16, 80, 48, 112];

/// The nearest integer, ties to even, cut off at ±32,767 (−32,768 below); 32,767 for what is not a number.
#[inline]
pub fn to_score(x: f32) -> i16 {
    (max(min(x, 32_767.0), -32_768.0) + ROUND).to_bits() as u16 as i16
}

/// ⌊255 · 2^(−steps/32) + `dither` / 128⌋, from 255 down to 0: the weight of a score that is `steps` below the largest one.
/// `dither` is the key's of [`DITHER`].
#[inline]
pub fn exp2_score(steps: u16, dither: u16) -> u8 {
    let [c0, c1, c2] = MANTISSA;
    let (octaves, r) = (u32::from(steps >> 5), steps & 31);
    let mantissa = c0 - r * (c1 - r * c2);
    // A shift by one more than the octaves and one by 7 make 8.
    let shifted = u32::from(mantissa) >> (octaves.min(15) + 1);
    ((shifted + u32::from(dither)) >> 7) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_within_their_stated_error() {
        for steps in (0..=u16::MAX).step_by(if cfg!(miri) { 251 } else { 1 }) {
            let exact = 255.0 * (-f64::from(steps) / 32.0).exp2();
            for dither in DITHER {
                let got = f64::from(exp2_score(steps, dither));
                let below = exact + f64::from(dither) / 128.0 - got;
                assert!(
                    (-1.8e-3 * exact..1.01 + 1.8e-3 * exact).contains(&below),
                    "{steps}: {got} for {exact}"
                );
            }
        }
        assert_eq!(DITHER.map(|dither| exp2_score(0, dither)), [254, 255, 255, 255]);
        assert_eq!(DITHER.map(|dither| exp2_score(u16::MAX, dither)), [0; 4]);
        let steps = if cfg!(miri) { 1..=500 } else { 1..=u16::MAX };
        assert!(steps.into_iter().all(|steps| exp2_score(steps, 64) <= exp2_score(steps - 1, 64)));
    }

    #[test]
    fn of_four_equal_weights_the_sum_is_right_to_half_a_step() {
        for steps in 0..600 {
            let exact = 4.0 * 255.0 * (-f64::from(steps) / 32.0).exp2();
            let sum: f64 = DITHER.iter().map(|&dither| f64::from(exp2_score(steps, dither))).sum();
            assert!((sum - exact).abs() <= 0.51 + 1.8e-3 * exact, "{steps}: {sum} for {exact}");
        }
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
