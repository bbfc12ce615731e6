//! Timing and buffers.

use std::time::Instant;

pub use blockspan_kernels::peak::shortest;

/// Repetitions of a measurement.
const REPETITIONS: usize = 60;

/// The sum over `parts` of the shortest time of each, in seconds, the parts always called one after the other: what the
/// whole takes when nothing interrupts it, with caches as it leaves them.
pub fn shortest_in_parts(parts: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut best = vec![f64::INFINITY; parts];
    for _ in 0..REPETITIONS {
        for (part, best) in best.iter_mut().enumerate() {
            let start = Instant::now();
            call(part);
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    best.into_iter().sum()
}

/// A vector that starts at a cache line, as the engine's buffers do.
pub struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    pub fn new(len: usize, mut value: impl FnMut(usize) -> T) -> Self {
        let mut values = vec![T::default(); len + 64];
        let start = values.as_ptr().align_offset(64);
        values[start..][..len].iter_mut().enumerate().for_each(|(i, x)| *x = value(i));
        Self { values, start, len }
    }
}

impl<T> core::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..][..self.len]
    }
}

impl<T> core::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..][..self.len]
    }
}

/// A cheap source of numbers that look random.
pub fn noise(i: usize) -> u32 {
    let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}
