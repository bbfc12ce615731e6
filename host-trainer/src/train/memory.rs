//! Smaller batches when a device runs out of memory.

use anyhow::{Error, Result};

/// Whether a device had no room for a tensor. candle passes the driver's words on.
fn out_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| {
        let text = cause.to_string().to_ascii_lowercase();
        text.contains("out of memory") || text.contains("out_of_memory")
    })
}

/// Calls `f` with `size`, then with half of it, and so on, as long as memory runs out; `size` stays at what worked.
///
/// # Errors
/// Whatever `f` fails with otherwise, and at size 1.
pub fn with_less_memory<T>(size: &mut usize, mut f: impl FnMut(usize) -> Result<T>) -> Result<T> {
    loop {
        match f(*size) {
            Err(error) if *size > 1 && out_of_memory(&error) => *size = size.div_ceil(2),
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{anyhow, bail};

    use super::with_less_memory;

    #[test]
    fn a_batch_is_halved_until_it_fits() {
        let mut size = 24;
        let mut tried = Vec::new();
        let result = with_less_memory(&mut size, |size| {
            tried.push(size);
            if size > 5 {
                let driver = anyhow!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
                return Err(driver.context("alloc"));
            }
            Ok("fits")
        });
        assert_eq!((result.expect("a size that fits"), size), ("fits", 3));
        assert_eq!(tried, [24, 12, 6, 3]);
    }

    #[test]
    fn other_failures_and_a_batch_of_one_are_reported() {
        let mut size = 8;
        assert!(with_less_memory(&mut size, |_| -> anyhow::Result<()> { bail!("illegal address") }).is_err());
        assert_eq!(size, 8);
        let never = with_less_memory(&mut size, |_| -> anyhow::Result<()> { bail!("Out of memory") });
        assert_eq!((never.is_err(), size), (true, 1));
    }
}
