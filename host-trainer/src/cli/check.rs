//! Ranges of the numbers that flags give.

use core::time::Duration;

use anyhow::{Result, ensure};

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
