//! Decimal numbers from text. The standard library's parser can panic and is larger than all else that reads metadata.

/// The largest power of ten that is tried: beyond it every `f32` is 0 or infinite.
const MOST: i32 = 400;

/// Digits that are kept; later ones only count as places.
const DIGITS: u32 = 19;

/// A number such as `-4.25` or `1.5e-3`, and nothing else: no spaces, no `inf`, no `nan`. Nothing if it is too large for an
/// `f32`. Numbers of up to 15 digits are rounded as the standard library rounds them, but for the step from `f64` to
/// `f32`.
pub(crate) fn number(text: &str) -> Option<f32> {
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut mantissa, mut kept, mut power) = (0u64, 0, i32::from(exponent));
    let places = whole.bytes().map(|byte| (byte, 0)).chain(fraction.bytes().map(|byte| (byte, 1)));
    for (byte, place) in places {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if kept < DIGITS {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            kept += u32::from(mantissa > 0);
            power = power.saturating_sub(place);
        } else {
            power = power.saturating_add(1 - place);
        }
    }
    let scale = (0..power.unsigned_abs().min(MOST.unsigned_abs())).fold(1.0f64, |scale, _| scale * 10.0);
    let value = mantissa as f64;
    // 0 · ∞ is no number.
    let value = if mantissa == 0 {
        0.0
    } else if power < 0 {
        value / scale
    } else {
        value * scale
    };
    let value = (if negative { -value } else { value }) as f32;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use super::number;

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "7",
            "+7",
            "-4.25",
            ".5",
            "5.",
            "1.5e-3",
            "1E2",
            "3.4e38",
            "1e-44",
            "0.1",
            "-18.83271",
        ] {
            assert_eq!(number(text), text.parse().ok(), "{text}");
        }
        let mut bits = 1u32;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            let value = f32::from_bits(bits);
            if value.is_finite() && value.abs() > 1e-20 && value.abs() < 1e20 {
                assert_eq!(number(&value.to_string()).map(f32::to_bits), Some(bits), "{value}");
            }
        }
    }

    #[test]
    fn long_numbers_are_cut_and_not_refused() {
        assert_eq!(number(&("0.".to_string() + &"0".repeat(500) + "1")), Some(0.0));
        assert_eq!(number(&("1.".to_string() + &"3".repeat(500))), "1.333333333333".parse().ok());
        assert_eq!(number(&("1".to_string() + &"0".repeat(30))), Some(1e30));
        assert_eq!(number("0e400"), Some(0.0));
        assert_eq!(number("1e-400"), Some(0.0));
    }

    #[test]
    fn what_is_no_number_is_none() {
        let long: String = "9".repeat(60);
        for text in [
            "", "-", ".", "e5", "1e", "1e99999", "inf", "NaN", "1 ", "0x1", "1e39", "--1", "1.2.3", "١",
            &long,
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
