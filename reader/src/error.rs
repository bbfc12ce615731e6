//! What can go wrong, in one line each.

use std::io;

use blockspan_engine::ParseError;

use crate::job::Job;

/// Why a model or a reader cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The file cannot be read; the message names it.
    #[error("{0}")]
    File(#[from] io::Error),
    /// The bytes are not a model.
    #[error("{name}: {error}")]
    Parse {
        /// The file, or "the model".
        name: String,
        /// Why.
        error: ParseError,
    },
    /// Windows that the model does not read, or more threads than a session works with.
    #[error(transparent)]
    Engine(#[from] blockspan_engine::Error),
    /// There is no memory for another session.
    #[error("no memory for a workspace of {bytes} bytes; use fewer threads or a smaller max_seq_len")]
    Memory {
        /// Bytes of the workspace.
        bytes: usize,
    },
    /// A reader without threads or without a place in its queue.
    #[error("{name} must be at least 1")]
    Zero {
        /// `"threads"` or `"queue_capacity"`.
        name: &'static str,
    },
    /// The operating system starts no more threads.
    #[error("cannot start {threads} threads: {error}; use fewer")]
    Threads {
        /// What was asked for.
        threads: usize,
        /// What the operating system says.
        error: io::Error,
    },
}

/// Why a question has no reply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The question, the passage or an option is not one that can be answered.
    #[error(transparent)]
    Engine(#[from] blockspan_engine::Error),
    /// The reader was dropped before it came to this question.
    #[error("the reader was closed before the question was answered")]
    Closed,
    /// A mistake in this library: the thread that read the question panicked. Others go on, and so does the reader.
    #[error("internal error while answering: {0}; please report it")]
    Panicked(String),
    /// The reply has been taken already, by an earlier poll of the same ticket.
    #[error("the reply has been taken already")]
    Taken,
}

/// The queue has no room at the moment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the queue is full ({capacity} questions wait); try again later")]
pub struct QueueFull {
    /// The job, given back.
    pub job: Box<Job>,
    /// How many jobs may wait.
    pub capacity: usize,
}
