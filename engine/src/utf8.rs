//! Bytes that may be text.

use crate::error::Error;

/// The bytes as text; the error says which text and the first byte that is none. An incomplete character at the
/// end counts from its first byte.
pub(crate) fn utf8<'t>(bytes: &'t [u8], text: &'static str) -> Result<&'t str, Error> {
    core::str::from_utf8(bytes).map_err(|error| Error::InvalidUtf8 { text, byte: error.valid_up_to() })
}
