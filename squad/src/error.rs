//! What can be wrong with a file.

use std::path::PathBuf;

use crate::Place;

/// A file that cannot be used. The message is one line: file, place, remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: cannot read: {reason}; name a SQuAD file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// The file holds something else than JSON.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it seems to be, and what to do.
        what: String,
    },
    /// The file is not JSON all through.
    #[error("{}: not JSON at line {line} column {column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there, and what to do.
        reason: String,
    },
    /// JSON that does not hold questions in a known shape.
    #[error("{}: {}{reason}", path.display(), before_reason(place))]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Box<Place>,
        /// What stands there, and what to do.
        reason: String,
    },
    /// No question in the file.
    #[error("{}: holds no question; name a SQuAD file with questions in it", path.display())]
    NoQuestion {
        /// The file.
        path: PathBuf,
    },
    /// No answer in the file, where answers are needed.
    #[error("{}: no question has an answer or is marked is_impossible; name a file with answers", path.display())]
    Unlabeled {
        /// The file.
        path: PathBuf,
    },
    /// Answers that their contexts do not hold where they should.
    #[error(
        "{}: answers do not stand at their answer_start in {bad} of {total} questions: {}{}; correct \
         answer_start (a count of characters) or remove these questions",
        path.display(), first.join("; "), if *bad > first.len() { "; …" } else { "" }
    )]
    Answers {
        /// The file.
        path: PathBuf,
        /// Questions with such an answer.
        bad: usize,
        /// All questions.
        total: usize,
        /// The first few: place, id, what is wrong.
        first: Vec<String>,
    },
}

/// The place and a colon; nothing where it is the whole file.
fn before_reason(place: &Place) -> String {
    if *place == Place::default() { String::new() } else { format!("{place}: ") }
}
