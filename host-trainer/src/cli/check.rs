//! Ranges of the numbers that flags give.

use core::time::Duration;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use blockspan_trainer::output::is_standard;

/// A share between 0 and 1.
pub fn share(name: &str, value: f64) -> Result<f64> {
    ensure!((0.0..=1.0).contains(&value), "{name} {value}: give a share between 0 and 1");
    Ok(value)
}

/// A finite number above 0.
pub fn positive(name: &str, value: f64) -> Result<f64> {
    ensure!(value > 0.0 && value.is_finite(), "{name} {value}: give a positive number");
    Ok(value)
}

/// A finite number, at least 0.
pub fn not_negative(name: &str, value: f64) -> Result<f64> {
    ensure!(value >= 0.0 && value.is_finite(), "{name} {value}: give 0 or a positive number");
    Ok(value)
}

/// A time of so many minutes.
pub fn minutes(name: &str, value: f64) -> Result<Duration> {
    Ok(Duration::from_secs_f64(60.0 * positive(name, value)?.min(1e9)))
}

/// Checks that at most one of these files is standard input, which can be read once.
pub fn standard_input_once<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    let count = files.into_iter().filter(|path| is_standard(path)).count();
    ensure!(count < 2, "-: standard input can be read only once; name a file for the others");
    Ok(())
}

/// A whole number, also in the form `3.0` that scripts for run_qa.py give.
pub fn whole(text: &str) -> Result<usize, String> {
    let digits = text.strip_suffix(".0").unwrap_or(text);
    digits.parse().map_err(|_| "give a whole number".to_owned())
}
