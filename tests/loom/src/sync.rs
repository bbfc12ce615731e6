//! What the pool is built of, in place of `kernels/src/parallel/sync.rs`.

pub(super) use loom::cell::UnsafeCell;
pub(super) use loom::hint::spin_loop;
pub(super) use loom::sync::{Arc, Condvar, Mutex, atomic};
pub(super) use loom::thread;

/// Threads go to sleep at once. To loom, a thread that spins lets all others go first, and so never would sleep while
/// there is something to do.
pub(super) const SPINS: u32 = 0;
