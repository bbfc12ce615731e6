//! Memory that outlives the call that allocates it.

use core::ptr::NonNull;

use crate::failure::Failure;

/// A value on the heap that others borrow from while its owner moves, which a `Box` does not allow.
pub(crate) struct Shelf<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Shelf<T> {
    pub fn new(value: Box<T>) -> Self {
        Self(NonNull::from(Box::leak(value)))
    }

    pub fn pointer(&self) -> NonNull<T> {
        self.0
    }
}

impl<T: ?Sized> Drop for Shelf<T> {
    fn drop(&mut self) {
        // SAFETY: from `Box::leak` in `new`, and freed here only. Whoever borrows from it is dropped before: see
        // the order of fields where shelves are kept.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: it owns its value as a `Box` does.
unsafe impl<T: ?Sized + Send> Send for Shelf<T> {}
// SAFETY: it owns its value as a `Box` does.
unsafe impl<T: ?Sized + Sync> Sync for Shelf<T> {}

/// Zeros, for a workspace.
pub(crate) fn allocate(len: usize) -> Result<Box<[u8]>, Failure<'static>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Failure::NoMemory(len))?;
    bytes.resize(len, 0);
    Ok(bytes.into_boxed_slice())
}
