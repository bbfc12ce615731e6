//! From pointers to references, with every check that is possible.

use core::ptr::NonNull;

use crate::status::Failure;

fn check<T>(pointer: *const T, name: &'static str) -> Result<(), Failure<'static>> {
    if pointer.is_null() {
        return Err(Failure::Null(name));
    }
    if !pointer.is_aligned() {
        return Err(Failure::Unaligned(name, align_of::<T>()));
    }
    Ok(())
}

/// A value that must be there.
///
/// # Safety
/// Unless NULL or unaligned, `pointer` points to a `T` that is not changed for `'a`.
pub(crate) unsafe fn get<'a, T>(pointer: *const T, name: &'static str) -> Result<&'a T, Failure<'static>> {
    check(pointer, name)?;
    // SAFETY: not NULL and aligned, checked above; the rest is the caller's promise.
    Ok(unsafe { &*pointer })
}

/// A value that may be left out.
///
/// # Safety
/// As for [`get`].
pub(crate) unsafe fn optional<'a, T>(
    pointer: *const T,
    name: &'static str,
) -> Result<Option<&'a T>, Failure<'static>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { get(pointer, name) }.map(Some)
}

/// Writes a result. What was there before is not read and not dropped.
///
/// # Safety
/// Unless NULL or unaligned, `pointer` points to room for a `T` that nothing else uses during the call.
pub(crate) unsafe fn write<T>(pointer: *mut T, name: &'static str, value: T) -> Result<(), Failure<'static>> {
    check(pointer, name)?;
    // SAFETY: not NULL and aligned, checked above; writable by the caller's promise.
    unsafe { pointer.write(value) };
    Ok(())
}

fn check_array<T>(pointer: *const T, len: usize, name: &'static str) -> Result<(), Failure<'static>> {
    check(pointer, name)?;
    if len.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(Failure::TooLong(name, len));
    }
    Ok(())
}

/// `len` values; NULL is as good as any other pointer if `len` is 0.
///
/// # Safety
/// Unless it is refused, `pointer` points to `len` values that are not changed for `'a`.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    len: usize,
    name: &'static str,
) -> Result<&'a [T], Failure<'static>> {
    if len == 0 {
        return Ok(&[]);
    }
    check_array(pointer, len, name)?;
    // SAFETY: not NULL, aligned, and not longer than an object can be, checked above; the rest is the caller's
    // promise.
    Ok(unsafe { core::slice::from_raw_parts(pointer, len) })
}

/// `len` bytes to write to, whatever they held.
///
/// # Safety
/// Unless it is refused, `pointer` points to `len` writable bytes that nothing else uses for `'a`.
pub(crate) unsafe fn bytes_mut<'a>(
    pointer: *mut u8,
    len: usize,
    name: &'static str,
) -> Result<&'a mut [u8], Failure<'static>> {
    check_array(pointer, len, name)?;
    // SAFETY: not NULL and not longer than an object can be, checked above; writable by the caller's promise.
    // The bytes are initialized before a slice of them is made: C gives memory that was never written.
    unsafe {
        pointer.write_bytes(0, len);
        Ok(core::slice::from_raw_parts_mut(pointer, len))
    }
}

/// Writes the values to the start of an array of `capacity`.
///
/// # Safety
/// Unless it is refused, `pointer` points to room for `capacity` values that nothing else uses during the call.
pub(crate) unsafe fn write_all<T>(
    pointer: *mut T,
    capacity: usize,
    name: &'static str,
    values: impl Iterator<Item = T>,
) -> Result<(), Failure<'static>> {
    if capacity == 0 {
        return Ok(());
    }
    check_array(pointer, capacity, name)?;
    for (at, value) in values.take(capacity).enumerate() {
        // SAFETY: `at` is below `capacity`, for which there is room; not NULL and aligned, checked above.
        unsafe { pointer.add(at).write(value) };
    }
    Ok(())
}

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
