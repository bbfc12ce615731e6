//! What the pool is built of, in place of `kernels/src/parallel/sync.rs`.

pub(super) use loom::cell::UnsafeCell;
pub(super) use loom::hint::spin_loop;
pub(super) use loom::sync::{Arc, Condvar, Mutex, atomic};
pub(super) use loom::thread;

/// Once around each loop that spins shows all that it can see.
pub(super) const SPINS: u32 = 1;
