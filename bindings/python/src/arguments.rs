//! Python's arguments as the reader's.

use std::sync::Arc;

use blockspan_reader::engine::{self, AnswerOptions};
use blockspan_reader::{Decoding, Options, PipelineOptions, RankOptions};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::failure::input;

/// A whole number, however large: what does not fit is as good as the largest (or the least) that does, and is refused in
/// the same words.
#[derive(Clone, Copy)]
pub(crate) struct Count(i64);

impl Count {
    pub const fn new(count: i64) -> Self {
        Self(count)
    }

    /// A number of things.
    ///
    /// # Errors
    /// It is negative.
    pub fn get(self, name: &str) -> PyResult<usize> {
        usize::try_from(self.0).map_err(|_| input(format!("{name} must not be negative")))
    }

    /// The number, or `default` for `None`.
    pub fn or(count: Option<Self>, name: &str, default: usize) -> PyResult<usize> {
        count.map_or(Ok(default), |count| count.get(name))
    }

    /// The number, if there is one.
    pub fn optional(count: Option<Self>, name: &str) -> PyResult<Option<usize>> {
        count.map(|count| count.get(name)).transpose()
    }
}

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<i64>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                Ok(Self(if object.lt(0)? { i64::MIN } else { i64::MAX }))
            }
            number => number.map(Self),
        }
    }
}

/// The text of `object`, which messages call `name`.
///
/// # Errors
/// It is no text, or holds half a surrogate pair.
pub(crate) fn text(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Arc<str>> {
    let Ok(string) = object.cast::<PyString>() else {
        let kind = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!("{name} must be str, not {kind}")));
    };
    match string.to_cow() {
        Ok(text) => Ok(text.into()),
        Err(error) => Err(input(format!(
            "{name} is not text: {}; replace lone surrogates, for example with \
             text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')",
            error.value(object.py())
        ))),
    }
}

/// How to answer by the rules of `blockspan ask`, as Python says it.
pub(crate) struct Ask {
    pub top_k: Count,
    pub max_answer_len: Count,
    pub n_best: Count,
    pub null_threshold: Option<f32>,
    pub max_query_length: Option<Count>,
    pub doc_stride: Option<Count>,
    pub max_seq_len: Option<Count>,
}

impl Ask {
    /// As the reader takes it, which checks the ranges.
    ///
    /// # Errors
    /// A number is negative.
    pub fn options(&self) -> PyResult<Options> {
        let usual = AnswerOptions::default();
        let rules = AnswerOptions {
            max_answer_len: self.max_answer_len.get("max_answer_len")?,
            n_best: self.n_best.get("n_best")?,
            null_threshold: self.null_threshold.unwrap_or(usual.null_threshold),
            max_query_length: Count::or(self.max_query_length, "max_query_length", usual.max_query_length)?,
            doc_stride: Count::optional(self.doc_stride, "doc_stride")?,
        };
        Ok(Options {
            top_k: self.top_k.get("top_k")?,
            max_seq_len: Count::optional(self.max_seq_len, "max_seq_len")?,
            decoding: Decoding::RunQa(rules),
        })
    }

    /// As the reader takes it for several documents, of which each has `per_document` answers; checked for windows of up to
    /// `most` tokens.
    ///
    /// # Errors
    /// A number is out of its range.
    pub fn ranking(&self, per_document: Count, most: usize) -> PyResult<RankOptions> {
        let Options { top_k, max_seq_len, decoding } = self.checked(most)?;
        let Decoding::RunQa(answer) = decoding else { return Err(input("internal error in the options")) };
        Ok(RankOptions { top_k, per_document: per_document.get("per_document")?, max_seq_len, answer })
    }

    /// As [`options`](Self::options), checked for windows of up to `most` tokens: where a job cannot say what is wrong.
    ///
    /// # Errors
    /// A number is out of its range.
    pub fn checked(&self, most: usize) -> PyResult<Options> {
        let options = self.options()?;
        if let Decoding::RunQa(rules) = &options.decoding {
            rules.check().map_err(|error| input(error.to_string()))?;
        }
        match options.max_seq_len {
            Some(asked) if !(8..=most).contains(&asked) => {
                Err(input(engine::Error::MaxSeqLen { asked, most }.to_string()))
            }
            _ => Ok(options),
        }
    }
}

/// How to answer by the rules of transformers' pipeline, as Python says it.
pub(crate) struct AskPipeline {
    pub top_k: Count,
    pub max_answer_len: Count,
    pub max_question_len: Count,
    pub doc_stride: Option<Count>,
    pub max_seq_len: Count,
    pub handle_impossible_answer: bool,
    pub align_to_words: bool,
}

impl AskPipeline {
    /// As the reader takes it, which checks the ranges.
    ///
    /// # Errors
    /// A number is negative.
    pub fn options(&self) -> PyResult<Options> {
        let rules = PipelineOptions {
            max_answer_len: self.max_answer_len.get("max_answer_len")?,
            max_question_len: self.max_question_len.get("max_question_len")?,
            doc_stride: Count::optional(self.doc_stride, "doc_stride")?,
            handle_impossible_answer: self.handle_impossible_answer,
            align_to_words: self.align_to_words,
        };
        Ok(Options {
            top_k: self.top_k.get("top_k")?,
            max_seq_len: Some(self.max_seq_len.get("max_seq_len")?),
            decoding: Decoding::Pipeline(rules),
        })
    }
}
