//! Statics of a module that has one thread.

use core::ops::Deref;

/// A value that only one thread can name, since there is no other.
pub(crate) struct Single<T>(T);

// SAFETY: without the target feature `atomics`, which lib.rs refuses, memory is not shared and an instance runs in
// the one thread that made it.
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Single<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
