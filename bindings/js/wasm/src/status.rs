//! How calls end.

use blockspan_engine::Error;

/// How a call ended; the numbers are those of `STATUS` in `bindings/js/src/engine.js`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// The bytes are no model, or the model has no room for windows of that many tokens.
    Model = 1,
    /// An option is out of range.
    Option = 2,
    /// The question is empty, or too long.
    Question = 3,
    /// The passage is empty, or too long.
    Passage = 4,
    /// The memory cannot grow.
    Memory = 5,
    /// Calls in another order than the crate's documentation says, or a defect.
    Internal = 6,
}

impl From<&Error> for Status {
    fn from(error: &Error) -> Self {
        match error {
            Error::MaxSeqLen { .. } | Error::InvalidOption { .. } => Self::Option,
            Error::EmptyQuestion | Error::QuestionTooLong { .. } => Self::Question,
            Error::EmptyPassage | Error::TextTooLong => Self::Passage,
            _ => Self::Internal,
        }
    }
}
