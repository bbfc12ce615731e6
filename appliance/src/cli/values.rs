//! What options take.

/// A whole number from 1 to `MOST`.
pub fn up_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ if MOST == usize::MAX => Err("give a whole number, at least 1".to_owned()),
        _ => Err(format!("give a whole number from 1 to {MOST}")),
    }
}

/// A number; `inf` is one.
pub fn number(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|number: &f32| !number.is_nan()).ok_or_else(|| "give a number".to_owned())
}
