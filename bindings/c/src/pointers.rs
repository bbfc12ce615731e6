//! From pointers to references, with every check that is possible: NULL, alignment, lengths.

use crate::failure::Failure;

/// Refuses NULL and an address that no `T` can have.
pub(crate) fn check<T>(pointer: *const T, name: &'static str) -> Result<(), Failure<'static>> {
    if pointer.is_null() {
        return Err(Failure::Null(name));
    }
    if !pointer.is_aligned() {
        return Err(Failure::Unaligned(name, align_of::<T>()));
    }
    Ok(())
}

/// Refuses what [`optional`] would, and any place that cannot be written to.
pub(crate) fn check_optional<T>(pointer: *const T, name: &'static str) -> Result<(), Failure<'static>> {
    if pointer.is_null() { Ok(()) } else { check(pointer, name) }
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
    let fits = len
        .checked_mul(size_of::<T>())
        .is_some_and(|bytes| bytes <= isize::MAX as usize && pointer.addr().checked_add(bytes).is_some());
    if fits { Ok(()) } else { Err(Failure::TooLong(name, len)) }
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

/// Refuses an array of results that [`write_all`] would refuse, before they are computed.
pub(crate) fn check_results<T>(
    pointer: *const T,
    capacity: usize,
    name: &'static str,
) -> Result<(), Failure<'static>> {
    if capacity == 0 { Ok(()) } else { check_array(pointer, capacity, name) }
}

/// `len` bytes to write to, whatever they held; none, if the pointer is NULL and `len` is 0.
///
/// # Safety
/// Unless it is refused, `pointer` points to `len` writable bytes that nothing else uses for `'a`.
pub(crate) unsafe fn bytes_mut<'a>(
    pointer: *mut u8,
    len: usize,
    name: &'static str,
) -> Result<Option<&'a mut [u8]>, Failure<'static>> {
    if pointer.is_null() && len == 0 {
        return Ok(None);
    }
    check_array(pointer, len, name)?;
    // SAFETY: not NULL and not longer than an object can be, checked above; writable by the caller's promise.
    // The bytes are initialized before a slice of them is made: C gives memory that was never written.
    unsafe {
        pointer.write_bytes(0, len);
        Ok(Some(core::slice::from_raw_parts_mut(pointer, len)))
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
    check_results(pointer, capacity, name)?;
    for (at, value) in values.take(capacity).enumerate() {
        // SAFETY: `at` is below `capacity`, for which there is room; not NULL and aligned, checked above.
        unsafe { pointer.add(at).write(value) };
    }
    Ok(())
}
