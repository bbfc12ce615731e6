//! What can be wrong with a file.

use std::path::PathBuf;

/// A file that cannot be used. The message is one line: file, place, remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: cannot read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: std::io::Error,
    },
    /// The file is not JSON in the shape of SQuAD. The reason tells line and column.
    #[error("{}: not a SQuAD file: {reason}; expected {{\"data\": [{{\"paragraphs\": […]}}]}}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The reason, with line and column.
        reason: serde_json::Error,
    },
    /// An answer that its context does not hold.
    #[error(
        "{}: article {article}, paragraph {paragraph}, question {question} ({id}): {reason}; \
         correct answer_start (a count of characters) or remove the answer",
        path.display()
    )]
    Answer {
        /// The file.
        path: PathBuf,
        /// Index of the article in `data`.
        article: usize,
        /// Index of the paragraph in the article.
        paragraph: usize,
        /// Index of the question in the paragraph.
        question: usize,
        /// The question's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
}
