//! What every function of the interface does around its body.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use crate::failure::Failure;
use crate::pointers;
use crate::status::{ErrorMessage, Status};

/// Runs the body of a function, keeps panics inside, and writes the message.
///
/// # Safety
/// `error` is NULL or points to a `blockspan_error` that nothing else uses during the call.
pub(crate) unsafe fn run<'a>(
    error: *mut ErrorMessage,
    body: impl FnOnce() -> Result<(), Failure<'a>>,
) -> Status {
    // It is written to after the body has run, and no place is misaligned for it.
    const { assert!(align_of::<ErrorMessage>() == 1) };
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Failure::Panic));
    let (status, message) = match &outcome {
        Ok(()) => (Status::Ok, ErrorMessage::EMPTY),
        Err(failure) => (failure.status(), ErrorMessage::new(format_args!("{failure}"))),
    };
    if !error.is_null() {
        // SAFETY: not NULL, checked above; writable by the caller's promise.
        unsafe { error.write(message) };
    }
    status
}

/// As [`run`], for a function that makes a handle: `*place` is `null` unless all goes well, whatever else is wrong.
///
/// # Safety
/// `place` is NULL or points to room for a handle that nothing else uses during the call; `error` as for [`run`].
pub(crate) unsafe fn make<'a, H>(
    (place, name, null): (*mut H, &'static str, H),
    error: *mut ErrorMessage,
    body: impl FnOnce() -> Result<H, Failure<'a>>,
) -> Status {
    // SAFETY: the caller's promise for `place`.
    let cleared = unsafe { pointers::write(place, name, null) };
    let body = || {
        cleared?;
        let made = body()?;
        // SAFETY: as above.
        unsafe { pointers::write(place, name, made) }
    };
    // SAFETY: the caller's promise for `error`.
    unsafe { run(error, body) }
}
