//! What can go wrong, in one line each.

use core::fmt;

use crate::format::{SectionId, VERSION};

/// Why bytes are not a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes do not start with the magic number.
    NotAModel,
    /// The file is of another version of the format.
    Version(u32),
    /// The slice does not start at a multiple of 64 bytes in memory.
    Unaligned,
    /// The slice is shorter or longer than the file.
    Length {
        /// Length that the header states, or that of the header.
        expected: u64,
        /// Length of the slice.
        found: u64,
    },
    /// A field of the header, or the section table, makes no sense.
    Header(&'static str),
    /// A section's bytes differ from what was written.
    Checksum(SectionId),
    /// A section is not what it should be.
    Section(SectionId, &'static str),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::NotAModel => {
                f.write_str("not a .bspan model (wrong magic number); make one with `blockspan-trainer pack`")
            }
            ParseError::Version(version) => {
                write!(
                    f,
                    "format version {version}, but this program reads version {VERSION}; pack the model again"
                )
            }
            ParseError::Unaligned => f.write_str("the model's bytes are not aligned to 64 bytes in memory"),
            ParseError::Length { expected, found } if found < expected => {
                write!(f, "{found} bytes where {expected} are needed: the file is incomplete, copy it again")
            }
            ParseError::Length { expected, found } => {
                write!(
                    f,
                    "{found} bytes where the header says {expected}: something was appended, copy it again"
                )
            }
            ParseError::Header(reason) => write!(f, "damaged header: {reason}"),
            ParseError::Checksum(section) => {
                write!(f, "damaged section {section}: its checksum differs, copy the file again")
            }
            ParseError::Section(section, reason) => write!(f, "invalid section {section}: {reason}"),
        }
    }
}

impl core::error::Error for ParseError {}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The workspace is shorter than [`crate::Model::workspace_len`] says.
    WorkspaceTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// The window has more tokens than the model has positions, or too few to hold a question and a passage.
    MaxSeqLen {
        /// What was asked for.
        asked: usize,
        /// The most that the model (or the session's workspace) has room for.
        most: usize,
    },
    /// More threads than a session works with.
    Threads {
        /// What was asked for.
        asked: usize,
        /// [`crate::MAX_THREADS`].
        most: usize,
    },
    /// A field of [`crate::AnswerOptions`] is out of range.
    InvalidOption {
        /// The field.
        name: &'static str,
        /// What it may be, for example `"1 to 64"`.
        allowed: &'static str,
    },
    /// The question holds no token.
    EmptyQuestion,
    /// The passage holds no token.
    EmptyPassage,
    /// The question leaves no room for a passage in a window.
    QuestionTooLong {
        /// Tokens of the question.
        tokens: usize,
        /// The most that fit with the `doc_stride` at hand.
        most: usize,
    },
    /// A text of 4 GiB or more.
    TextTooLong,
    /// A text is not UTF-8.
    InvalidUtf8 {
        /// Which: `"question"`, `"passage"` or `"text"`.
        text: &'static str,
        /// The first byte that does not belong to a character.
        byte: usize,
    },
    /// A token id or segment that the model does not have.
    Token(u32),
    /// A mistake in this crate: operands that do not fit each other.
    Internal,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::WorkspaceTooSmall { needed, found } => {
                write!(f, "the workspace has {found} bytes, {needed} are needed")
            }
            Error::MaxSeqLen { asked, most } => {
                write!(f, "windows of {asked} tokens do not work here; use 8 to {most}")
            }
            Error::Threads { asked, most } => {
                write!(f, "{asked} threads do not work here; use 1 to {most}")
            }
            Error::InvalidOption { name, allowed } => write!(f, "{name} must be {allowed}"),
            Error::EmptyQuestion => f.write_str("the question is empty; ask something"),
            Error::EmptyPassage => f.write_str("the passage is empty; give a text to find the answer in"),
            Error::QuestionTooLong { tokens, most } => {
                write!(
                    f,
                    "the question has {tokens} tokens, at most {most} fit beside doc_stride; shorten it, or use a \
                     smaller doc_stride, a larger max_seq_len or max_query_length"
                )
            }
            Error::TextTooLong => f.write_str("the text is longer than 4 GiB; split it"),
            Error::InvalidUtf8 { text, byte } => {
                write!(
                    f,
                    "the {text} is not UTF-8 at byte {byte}; convert it, for example with iconv -t UTF-8"
                )
            }
            Error::Token(id) => write!(f, "token id {id} is not in the model's vocabulary"),
            Error::Internal => {
                f.write_str("internal error: operands of a kernel do not fit; please report it")
            }
        }
    }
}

impl core::error::Error for Error {}

impl From<blockspan_kernels::ShapeError> for Error {
    fn from(_: blockspan_kernels::ShapeError) -> Self {
        Error::Internal
    }
}
