//! Smaller batches when a device runs out of memory.

use anyhow::{Error, Result};

/// Whether a device had no room for a tensor. candle passes the driver's words on.
fn out_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| {
        let text = cause.to_string().to_ascii_lowercase();
        text.contains("out of memory") || text.contains("out_of_memory")
    })
}

/// Calls `f` with `size`; where memory runs out and `shrink` allows it, with half of that, and so on. `size` stays at
/// what worked.
///
/// # Errors
/// Whatever `f` fails with otherwise, and memory that runs out at the last; the message tells the remedy.
pub fn with_less_memory<T>(
    size: &mut usize,
    shrink: bool,
    mut f: impl FnMut(usize) -> Result<T>,
) -> Result<T> {
    loop {
        let error = match f(*size) {
            Err(error) if out_of_memory(&error) => error,
            other => return other,
        };
        if *size <= 1 {
            return Err(error.context("the device has no room for one window; lower --max-seq-len"));
        }
        if !shrink {
            let remedy = "lower --batch-size, or give --auto-batch-size";
            return Err(error.context(format!("the device has no room for {size} windows at once; {remedy}")));
        }
        *size = size.div_ceil(2);
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
        let result = with_less_memory(&mut size, true, |size| {
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
        assert!(
            with_less_memory(&mut size, true, |_| -> anyhow::Result<()> { bail!("illegal address") })
                .is_err()
        );
        assert_eq!(size, 8);
        let never = with_less_memory(&mut size, true, |_| -> anyhow::Result<()> { bail!("Out of memory") });
        let message = format!("{:#}", never.expect_err("no size fits"));
        assert!(message.contains("lower --max-seq-len: Out of memory") && size == 1, "{message}");
        size = 8;
        let never = with_less_memory(&mut size, false, |_| -> anyhow::Result<()> { bail!("Out of memory") });
        let message = format!("{:#}", never.expect_err("not to be shrunk"));
        assert!(
            message.contains("8 windows at once; lower --batch-size, or give --auto-batch-size"),
            "{message}"
        );
    }
}
