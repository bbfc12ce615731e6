//! The machine's limits: int8 dot products and float operations in registers, and memory streams.

use core::hint::black_box;

pub use blockspan_kernels::peak::{dot_products, floats};

use super::measure::{Aligned, shortest};

/// Bytes per second, read and written, of the system's copy of `bytes` bytes.
pub fn copy(bytes: usize) -> f64 {
    let from = Aligned::new(bytes, |i| i as u8);
    let mut to = Aligned::new(bytes, |_| 0u8);
    let time = shortest(|| black_box(&mut *to).copy_from_slice(black_box(&from)));
    2.0 * bytes as f64 / time
}
