//! How calls end: a code, a fixed text for each code, and the particulars of one call.

use core::ffi::{CStr, c_char};
use core::fmt::{self, Write};
use core::panic::AssertUnwindSafe;
use std::io;
use std::panic::catch_unwind;
use std::path::Path;

use blockspan_engine::{Error, ParseError};

use crate::pointers;
use crate::session::MAX_THREADS;

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
    /// One line of UTF-8, zero-terminated, cut if it is longer; empty after a call that went well.
    pub message: [c_char; MESSAGE_LEN],
}

impl ErrorMessage {
    /// The text, cut between two characters if it does not fit.
    fn new(text: fmt::Arguments<'_>) -> Self {
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
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MESSAGE_LEN - 1).saturating_sub(self.len);
        let taken = text.get(..text.floor_char_boundary(room.min(text.len()))).unwrap_or_default();
        if let Some(to) = self.bytes.get_mut(self.len..self.len + taken.len()) {
            to.copy_from_slice(taken.as_bytes());
        }
        self.len += taken.len();
        if taken.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Why a call failed.
pub(crate) enum Failure<'a> {
    /// This pointer is NULL.
    Null(&'static str),
    /// This pointer is not aligned to so many bytes.
    Unaligned(&'static str, usize),
    /// This array cannot have that length.
    TooLong(&'static str, usize),
    /// This path is not UTF-8 from that byte on.
    #[cfg(not(unix))]
    NotUtf8(&'static str, usize),
    /// The file cannot be mapped.
    CannotOpen(io::Error),
    /// The file is no model.
    InvalidFile(&'a Path, ParseError),
    /// The bytes are no model.
    InvalidBytes(ParseError),
    /// So many threads are asked for.
    Threads(usize),
    /// The engine refuses.
    Engine(Error),
    /// Another thread uses the session.
    Busy,
    /// No memory for so many bytes of workspace.
    NoMemory(usize),
    /// So many threads cannot be started.
    NoThreads(usize, io::Error),
    /// A panic, in this call or in an earlier one.
    Panic,
}

impl Failure<'_> {
    fn status(&self) -> Status {
        match self {
            Self::Null(_) | Self::Unaligned(..) => Status::BadPointer,
            Self::TooLong(..) | Self::Threads(_) => Status::InvalidArgument,
            #[cfg(not(unix))]
            Self::NotUtf8(..) => Status::InvalidUtf8,
            Self::CannotOpen(..) => Status::CannotOpen,
            Self::InvalidFile(..) | Self::InvalidBytes(_) => Status::InvalidModel,
            Self::Engine(error) => match error {
                Error::WorkspaceTooSmall { .. } => Status::WorkspaceTooSmall,
                Error::MaxSeqLen { .. } => Status::MaxSeqLen,
                Error::Threads { .. } | Error::InvalidOption { .. } => Status::InvalidArgument,
                Error::EmptyQuestion => Status::EmptyQuestion,
                Error::EmptyPassage => Status::EmptyPassage,
                Error::QuestionTooLong { .. } => Status::QuestionTooLong,
                Error::TextTooLong => Status::TextTooLong,
                Error::InvalidUtf8 { .. } => Status::InvalidUtf8,
                _ => Status::Internal,
            },
            Self::Busy => Status::Busy,
            Self::NoMemory(_) | Self::NoThreads(..) => Status::OutOfResources,
            Self::Panic => Status::Internal,
        }
    }
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(name) => write!(f, "{name} is NULL"),
            Self::Unaligned(name, align) => write!(f, "{name} is not aligned to {align} bytes"),
            Self::TooLong(name, len) => {
                write!(f, "{name} cannot be {len} long: that is more than the address space")
            }
            #[cfg(not(unix))]
            Self::NotUtf8(name, at) => write!(f, "{name} is not UTF-8 at byte {at}; convert it"),
            // It names the file.
            Self::CannotOpen(error) => error.fmt(f),
            Self::InvalidFile(path, error) => write!(f, "{}: {error}", path.display()),
            Self::InvalidBytes(error) => error.fmt(f),
            Self::Threads(asked) => write!(f, "{asked} threads are more than {MAX_THREADS}"),
            Self::Engine(error @ Error::InvalidOption { .. }) => {
                write!(f, "{error}; start from blockspan_options_default")
            }
            Self::Engine(error) => error.fmt(f),
            Self::Busy => {
                f.write_str("the session is answering for another thread; make one for each thread")
            }
            Self::NoMemory(len) => write!(f, "no memory for a workspace of {len} bytes"),
            Self::NoThreads(threads, error) => write!(f, "cannot start {threads} threads: {error}"),
            Self::Panic => f.write_str("internal error: a panic; please report it"),
        }
    }
}

impl From<Error> for Failure<'_> {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// Runs the body of a function, keeps panics inside, and writes the message.
///
/// # Safety
/// `error` is NULL or points to a `blockspan_error` that nothing else uses during the call.
pub(crate) unsafe fn run<'a>(
    error: *mut ErrorMessage,
    body: impl FnOnce() -> Result<(), Failure<'a>>,
) -> Status {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Failure::Panic));
    let (status, message) = match &outcome {
        Ok(()) => (Status::Ok, ErrorMessage { message: [0; MESSAGE_LEN] }),
        Err(failure) => (failure.status(), ErrorMessage::new(format_args!("{failure}"))),
    };
    if error.is_null() {
        return status;
    }
    // SAFETY: the caller's promise.
    match unsafe { pointers::write(error, "error", message) } {
        Err(failure) if status == Status::Ok => failure.status(),
        _ => status,
    }
}

/// The library's version, for example "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn blockspan_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What a status means, in a few words that never change; any number may be given.
#[unsafe(no_mangle)]
pub extern "C" fn blockspan_error_message(status: i32) -> *const c_char {
    let known = Status::ALL.into_iter().find(|&known| known as i32 == status);
    known.map_or(c"unknown status", Status::text).as_ptr()
}
