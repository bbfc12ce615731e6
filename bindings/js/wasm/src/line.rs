//! The message of the last call that failed.

use core::cell::Cell;
use core::fmt::{self, Display, Write};

use crate::single::Single;

/// Bytes of a message, which is cut if it is longer.
const LEN: usize = 512;

/// A line of UTF-8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Bytes of the text.
    pub len: usize,
    /// The text, then anything.
    pub text: [u8; LEN],
}

static MESSAGE: Single<Cell<Line>> = Single::new(Cell::new(Line { len: 0, text: [0; LEN] }));

/// Writes the message.
pub(crate) fn say(reason: &dyn Display) {
    let mut line = Line { len: 0, text: [0; LEN] };
    // A full line is as good as a complete one.
    let _ = write!(line, "{reason}");
    MESSAGE.set(line);
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LEN.saturating_sub(self.len);
        let taken = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        let rest = self.text.iter_mut().skip(self.len);
        rest.zip(taken.bytes()).for_each(|(to, byte)| *to = byte);
        self.len = self.len.saturating_add(taken.len());
        if taken.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Where the message stands.
#[unsafe(no_mangle)]
pub extern "C" fn message() -> *const Line {
    MESSAGE.as_ptr()
}
