//! What the pool is built of. `tests/loom` compiles the pool with loom's versions in place of these.

pub(super) use core::hint::spin_loop;
pub(super) use core::sync::atomic;
pub(super) use std::sync::{Arc, Condvar, Mutex};
pub(super) use std::thread;

/// How often a thread looks for work (or for the others' end) before it sleeps (or yields): some 20 µs, longer
/// than the pauses between the steps of one forward pass.
pub(super) const SPINS: u32 = 4_000;

/// [`core::cell::UnsafeCell`], with the interface of loom's, which sees each access.
#[derive(Debug)]
pub(super) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(super) fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Reads through the pointer.
    pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Writes through the pointer.
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
