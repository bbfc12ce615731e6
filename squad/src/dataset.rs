//! Reading files in the shape of SQuAD v1.1 and v2.0.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;

/// The questions of a file, by paragraph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// The paragraphs of all articles, in the order of the file.
    pub paragraphs: Vec<Paragraph>,
    origin: Origin,
}

/// Where each paragraph came from, for messages.
#[derive(Clone, Debug, Default, PartialEq)]
struct Origin {
    path: PathBuf,
    /// Article and paragraph index of each paragraph.
    places: Vec<(usize, usize)>,
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
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Question {
    /// Identifies the question in files of predictions.
    pub id: String,
    /// The question.
    pub question: String,
    /// Accepted answers; none when the question has no answer.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// SQuAD v2.0: the passage does not answer the question.
    #[serde(default)]
    pub is_impossible: bool,
}

/// An accepted answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Answer {
    /// The answer as it stands in the context.
    pub text: String,
    /// Its first character: a count of Unicode scalar values from the start of the context.
    pub answer_start: usize,
}

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    paragraphs: Vec<FileParagraph>,
}

#[derive(Deserialize)]
struct FileParagraph {
    context: String,
    qas: Vec<Question>,
}

impl Dataset {
    /// Reads a file. Answers are not compared with their contexts: see [`Dataset::check_answers`].
    ///
    /// # Errors
    /// A file that cannot be read or has another shape; the message tells line and column.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|reason| Error::Read { path: path.to_owned(), reason })?;
        Self::parse(&bytes, path)
    }

    /// Reads the contents of a file; `path` only names it in messages.
    ///
    /// # Errors
    /// Contents of another shape.
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file: File =
            serde_json::from_slice(bytes).map_err(|reason| Error::Shape { path: path.to_owned(), reason })?;
        let mut dataset = Dataset::default();
        dataset.origin.path = path.to_owned();
        for (article_index, article) in file.data.into_iter().enumerate() {
            for (paragraph_index, paragraph) in article.paragraphs.into_iter().enumerate() {
                dataset.origin.places.push((article_index, paragraph_index));
                dataset.paragraphs.push(Paragraph {
                    article: article_index,
                    title: article.title.clone(),
                    context: paragraph.context,
                    questions: paragraph.qas,
                });
            }
        }
        Ok(dataset)
    }

    /// All questions, each with its paragraph, in the order of the file.
    pub fn questions(&self) -> impl Iterator<Item = (&Paragraph, &Question)> {
        self.paragraphs.iter().flat_map(|p| p.questions.iter().map(move |q| (p, q)))
    }

    /// Compares every answer with its place in the context, as training needs it.
    ///
    /// # Errors
    /// The first answer whose `answer_start` lies outside the context or whose text stands elsewhere.
    pub fn check_answers(&self) -> Result<(), Error> {
        match self.mismatches().next() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The questions with an answer that its context does not hold, each as the error that
    /// [`Dataset::check_answers`] would give. Scoring needs only the texts and tolerates them.
    pub fn mismatches(&self) -> impl Iterator<Item = Error> {
        self.paragraphs.iter().enumerate().flat_map(move |(index, paragraph)| {
            let (article, in_article) = self.origin.places.get(index).copied().unwrap_or((0, index));
            paragraph.questions.iter().enumerate().filter_map(move |(question_index, question)| {
                let reason = question.answers.iter().find_map(|a| mismatch(&paragraph.context, a))?;
                Some(Error::Answer {
                    path: self.origin.path.clone(),
                    article,
                    paragraph: in_article,
                    question: question_index,
                    id: question.id.clone(),
                    reason,
                })
            })
        })
    }
}

impl Answer {
    /// The bytes of the answer in `context`, or nothing when they do not lie inside it.
    pub fn byte_range(&self, context: &str) -> Option<core::ops::Range<usize>> {
        let start = context.char_indices().map(|(at, _)| at).chain([context.len()]).nth(self.answer_start)?;
        let end = start.checked_add(self.text.len())?;
        (context.get(start..end)? == self.text).then_some(start..end)
    }
}

/// What is wrong with an answer, if anything.
fn mismatch(context: &str, answer: &Answer) -> Option<String> {
    if answer.text.is_empty() {
        return Some("the answer is empty".into());
    }
    if answer.byte_range(context).is_some() {
        return None;
    }
    let length = context.chars().count();
    Some(if answer.answer_start > length {
        format!("answer_start {} lies outside the context of {length} characters", answer.answer_start)
    } else {
        let found: String =
            context.chars().skip(answer.answer_start).take(answer.text.chars().count()).collect();
        format!("at answer_start {} the context reads {found:?}, not {:?}", answer.answer_start, answer.text)
    })
}
