//! A correctly rounded square root for cores without one; equal in every bit to the hardware's.

/// √x rounded to nearest even; not a number for x < 0.
///
/// The significand is widened to 26 root bits, extracted one by one (the digit recurrence of IEEE-754 hardware),
/// and the remainder decides the rounding.
pub fn sqrt(x: f32) -> f32 {
    if x.is_nan() || x == 0.0 || x == f32::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f32::NAN;
    }
    let bits = x.to_bits();
    let (mut exponent, mut significand) = ((bits >> 23) as i32, u64::from(bits & 0x7f_ffff));
    if exponent == 0 {
        // Denormal: bring the leading one to bit 23.
        let shift = significand.leading_zeros() as i32 - 40;
        significand <<= shift;
        exponent = 1 - shift;
    } else {
        significand |= 1 << 23;
    }
    // x = significand · 2^(exponent − 150); make that power even.
    let mut power = exponent - 150;
    if power & 1 != 0 {
        significand <<= 1;
        power -= 1;
    }
    // 24 or 25 bits, shifted by 26: a root of 25 or 26 bits, of which the last is for rounding.
    let radicand = significand << 26;
    let mut root = 0u64;
    let mut bit = 1u64 << 25;
    while bit != 0 {
        let trial = root | bit;
        if trial * trial <= radicand {
            root = trial;
        }
        bit >>= 1;
    }
    let sticky = u64::from(root * root != radicand);
    let half_power = power / 2 - 13;
    // Normalize to 24 bits with round-to-nearest-even; a tie cannot happen (a root is never half-way).
    let extra = 64 - root.leading_zeros() as i32 - 24;
    let kept = root >> extra;
    let rest = ((root & ((1 << extra) - 1)) << 1) | sticky;
    let rounded = kept + u64::from(rest > (1 << extra));
    let (rounded, carry) = if rounded >> 24 != 0 { (rounded >> 1, 1) } else { (rounded, 0) };
    let result_exponent = half_power + extra + carry + 150;
    f32::from_bits(((result_exponent as u32) << 23) | (rounded as u32 & 0x7f_ffff))
}

#[cfg(test)]
mod tests {
    use super::sqrt;

    #[test]
    fn equals_the_hardware_in_every_bit() {
        let mut bits = 0u32;
        // A stride that is prime walks through exponents and significands alike.
        while let Some(next) = bits.checked_add(if cfg!(miri) { 20_000_003 } else { 2_003 }) {
            let x = f32::from_bits(bits);
            if x.is_nan() {
                break;
            }
            assert_eq!(sqrt(x).to_bits(), x.sqrt().to_bits(), "{bits:#x}");
            bits = next;
        }
        for x in [0.0, -0.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::INFINITY, 1.0, 4.0, 2.0] {
            assert_eq!(sqrt(x).to_bits(), x.sqrt().to_bits(), "{x}");
        }
        assert!(sqrt(-1.0).is_nan() && sqrt(f32::NAN).is_nan());
    }
}
