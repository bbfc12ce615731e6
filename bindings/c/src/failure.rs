//! Why calls fail: the status and the message of each failure.

use core::fmt;
use std::io;
use std::path::Path;

use blockspan_engine::{Error, ParseError};

use crate::status::Status;

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
    /// The file cannot be mapped or read; the error names it.
    CannotOpen(io::Error),
    /// The file is no model.
    InvalidFile(&'a Path, ParseError),
    /// The bytes are no model.
    InvalidBytes(ParseError),
    /// The engine refuses.
    Engine(Error),
    /// Another thread uses the session.
    Busy,
    /// No memory for a workspace of so many bytes.
    NoMemory(usize),
    /// So many threads cannot be started.
    NoThreads(usize, io::Error),
    /// A panic, in this call or in an earlier one.
    Panic,
}

impl Failure<'_> {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Null(_) | Self::Unaligned(..) => Status::BadPointer,
            Self::TooLong(..) => Status::InvalidArgument,
            #[cfg(not(unix))]
            Self::NotUtf8(..) => Status::InvalidUtf8,
            Self::CannotOpen(error) if error.kind() == io::ErrorKind::OutOfMemory => Status::OutOfResources,
            Self::CannotOpen(_) => Status::CannotOpen,
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
            Self::CannotOpen(error) => error.fmt(f),
            Self::InvalidFile(path, error) => write!(f, "{}: {error}", path.display()),
            Self::InvalidBytes(error) => error.fmt(f),
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
