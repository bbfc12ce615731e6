//! Paragraphs, their questions and the accepted answers.

use std::path::{Path, PathBuf};

use crate::{Error, Place};

/// The questions of a file, by paragraph. Ids are unique: a file whose ids are not gets new ones, and a note says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// The paragraphs of all articles, in the order of the file.
    pub paragraphs: Vec<Paragraph>,
    pub(crate) path: PathBuf,
    pub(crate) notes: Vec<String>,
}

/// A passage and the questions about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paragraph {
    /// Counts the articles of the file: paragraphs of one article have the same number.
    pub article: usize,
    /// The title of the article; may be empty.
    pub title: String,
    /// The passage.
    pub context: String,
    /// The questions.
    pub questions: Vec<Question>,
}

/// A question and its accepted answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// Identifies the question in files of predictions.
    pub id: String,
    /// The question.
    pub question: String,
    /// Accepted answers, none of them empty; none when the question has no answer.
    pub answers: Vec<Answer>,
    /// SQuAD v2.0: the file says that the passage does not answer the question. Most callers want
    /// [`Question::is_unanswerable`].
    pub is_impossible: bool,
    /// Where it stands in the file.
    pub place: Place,
}

/// An accepted answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The answer as it stands in the context.
    pub text: String,
    /// Its first character: a count of Unicode scalar values from the start of the context. Nothing where the file says
    /// nothing usable. See [`Answer::byte_range`] for counts of other units.
    pub answer_start: Option<i64>,
}

impl Question {
    /// Whether the passage does not answer the question: the file says so, or gives no answer.
    pub fn is_unanswerable(&self) -> bool {
        self.is_impossible || self.answers.is_empty()
    }
}

impl Dataset {
    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a reader should know about the file, a line each: ids that were made, say.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All questions, each with its paragraph, in the order of the file.
    pub fn questions(&self) -> impl Iterator<Item = (&Paragraph, &Question)> {
        self.paragraphs.iter().flat_map(|p| p.questions.iter().map(move |q| (p, q)))
    }

    /// Whether there are questions without an answer, so that the empty answer must be possible
    /// (`run_qa.py --version_2_with_negative`).
    pub fn has_unanswerable(&self) -> bool {
        self.is_labeled() && self.questions().any(|(_, question)| question.is_unanswerable())
    }

    /// Whether anything is known of any answer: a question has one, or is marked as having none. The questions of a
    /// file that is not labeled can be answered, but not scored or trained on.
    pub fn is_labeled(&self) -> bool {
        self.questions().any(|(_, question)| question.is_impossible || !question.answers.is_empty())
    }

    /// Demands answers to score by or to train on.
    ///
    /// # Errors
    /// A data set that is not [labeled](Self::is_labeled).
    pub fn check_labeled(&self) -> Result<(), Error> {
        if self.is_labeled() { Ok(()) } else { Err(Error::Unlabeled { path: self.path.clone() }) }
    }
}
