//! How calls end: a code, a fixed text for each code, and the particulars of one call.

use core::ffi::{CStr, c_char};
use core::fmt::{self, Write};

/// How a call ended. Codes keep their numbers; new ones may be added.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// A pointer is NULL or not aligned for its type.
    BadPointer = 1,
    /// A number is outside its range.
    InvalidArgument = 2,
    /// The model's file cannot be opened or mapped.
    CannotOpen = 3,
    /// The bytes are not a model, or damaged; the message names the section.
    InvalidModel = 4,
    /// A text is not UTF-8; the message names the byte.
    InvalidUtf8 = 5,
    /// The workspace is shorter than blockspan_workspace_len says.
    WorkspaceTooSmall = 6,
    /// The model has no room for windows of that many tokens.
    MaxSeqLen = 7,
    /// The question holds no token.
    EmptyQuestion = 8,
    /// The passage holds no token.
    EmptyPassage = 9,
    /// The question leaves no room for the passage.
    QuestionTooLong = 10,
    /// A text is longer than 4 GiB.
    TextTooLong = 11,
    /// The session is answering another thread's question.
    Busy = 12,
    /// The operating system gives no memory or no threads.
    OutOfResources = 13,
    /// A defect of this library.
    Internal = 14,
}

impl Status {
    const ALL: [Self; 15] = [
        Self::Ok,
        Self::BadPointer,
        Self::InvalidArgument,
        Self::CannotOpen,
        Self::InvalidModel,
        Self::InvalidUtf8,
        Self::WorkspaceTooSmall,
        Self::MaxSeqLen,
        Self::EmptyQuestion,
        Self::EmptyPassage,
        Self::QuestionTooLong,
        Self::TextTooLong,
        Self::Busy,
        Self::OutOfResources,
        Self::Internal,
    ];

    fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"no error",
            Self::BadPointer => c"a pointer is NULL or not aligned",
            Self::InvalidArgument => c"an argument is out of range",
            Self::CannotOpen => c"the model cannot be opened",
            Self::InvalidModel => c"not a valid model",
            Self::InvalidUtf8 => c"a text is not UTF-8",
            Self::WorkspaceTooSmall => c"the workspace is too small",
            Self::MaxSeqLen => c"the model has no room for windows of that many tokens",
            Self::EmptyQuestion => c"the question is empty",
            Self::EmptyPassage => c"the passage is empty",
            Self::QuestionTooLong => c"the question is too long",
            Self::TextTooLong => c"a text is longer than 4 GiB",
            Self::Busy => c"the session is in use by another thread",
            Self::OutOfResources => c"out of memory or threads",
            Self::Internal => c"internal error, please report it",
        }
    }
}

/// Bytes of a blockspan_error's message, its terminating zero included.
pub const MESSAGE_LEN: usize = 256;

/// The particulars of an error: which pointer, which section, which byte.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ErrorMessage {
    /// One line of UTF-8 without control characters, zero-terminated, cut if it is longer; empty after a call that
    /// went well.
    pub message: [c_char; MESSAGE_LEN],
}

impl ErrorMessage {
    /// What a call that went well leaves.
    pub(crate) const EMPTY: Self = Self { message: [0; MESSAGE_LEN] };

    /// The text, cut between two characters if it does not fit.
    pub(crate) fn new(text: fmt::Arguments<'_>) -> Self {
        let mut line = Line { bytes: [0; MESSAGE_LEN], len: 0 };
        // A full line is as good as a complete one.
        let _ = line.write_fmt(text);
        Self { message: line.bytes.map(|byte| byte as c_char) }
    }
}

struct Line {
    bytes: [u8; MESSAGE_LEN],
    len: usize,
}

impl Write for Line {
    /// Paths may hold line ends and escape sequences, which must not reach a log or a terminal.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let c = if c.is_control() { '?' } else { c };
            let end = self.len + c.len_utf8();
            let to = self.bytes.get_mut(self.len..end).filter(|_| end < MESSAGE_LEN).ok_or(fmt::Error)?;
            c.encode_utf8(to);
            self.len = end;
        }
        Ok(())
    }
}

/// What a status means, in a few words that never change; any number may be given.
#[unsafe(no_mangle)]
pub extern "C" fn blockspan_error_message(status: i32) -> *const c_char {
    let known = Status::ALL.into_iter().find(|&known| known as i32 == status);
    known.map_or(c"unknown status", Status::text).as_ptr()
}
