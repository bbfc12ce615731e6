//! Work over threads: the hook that the engine calls, safe cuts of buffers, and (with `std`) a pool.

mod cut;
#[cfg(feature = "std")]
mod pool;
#[cfg(all(test, feature = "std"))]
mod pool_tests;
#[cfg(feature = "std")]
mod sync;

pub use cut::{Cut, MAX_TASKS, Parts, Pool, for_each_cut};
#[cfg(feature = "std")]
pub use pool::ThreadPool;

/// The most threads that may work at the same time: a [`Pool`] marks the slots that are taken in a word of 32 bits.
pub const MAX_THREADS: usize = 32;

/// Runs tasks, perhaps at the same time.
///
/// An implementation must have called `task` once with each of `0..n`, and every call must have returned, when
/// `for_each` returns. (One that does otherwise gives wrong results, but no undefined behavior:
/// [`for_each_cut`] hands each part out once at most.)
pub trait Parallel: Sync {
    /// How many tasks may run at the same time, 1 to [`MAX_THREADS`].
    fn threads(&self) -> usize;

    /// Calls `task` with each of `0..n`, in any order, perhaps at the same time.
    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync));
}

/// One after the other, on the caller's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Parallel for Serial {
    fn threads(&self) -> usize {
        1
    }

    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(task);
    }
}
