//! Which version of the library this is.

use core::ffi::c_char;

/// The version of the library that is linked, for example "0.1.0". A program that was compiled with a header of this
/// version has the same text in BLOCKSPAN_VERSION_STRING.
#[unsafe(no_mangle)]
pub extern "C" fn blockspan_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
