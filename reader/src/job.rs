//! What a reader is asked.

use std::sync::Arc;

use blockspan_engine::span::MAX_N_BEST;
use blockspan_engine::{AnswerOptions, Error};

/// A question, the passage that may hold its answer, and how to answer. Texts are shared, so that many questions about one
/// passage need one copy of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The question.
    pub question: Arc<str>,
    /// The passage, of any length.
    pub passage: Arc<str>,
    /// How to answer.
    pub options: Options,
}

impl Job {
    /// A job with the default options: one answer, by the rules of `blockspan ask`.
    pub fn new(question: impl Into<Arc<str>>, passage: impl Into<Arc<str>>) -> Self {
        Self { question: question.into(), passage: passage.into(), options: Options::default() }
    }

    /// The same job with other options.
    pub fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }
}

/// How to answer a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The most answers, best first: 1 to [`MAX_N_BEST`], and for [`Decoding::RunQa`] at most its `n_best`.
    pub top_k: usize,
    /// Tokens of the longest window: question, passage and three special tokens; at least 8, and at most those of the
    /// reader, which is the default.
    pub max_seq_len: Option<usize>,
    /// Whose rules decide which spans are answers, and what a score is.
    pub decoding: Decoding,
}

impl Default for Options {
    fn default() -> Self {
        Self { top_k: 1, max_seq_len: None, decoding: Decoding::RunQa(AnswerOptions::default()) }
    }
}

/// Whose rules decide which spans are answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoding {
    /// Those of `blockspan ask`, which are those of transformers' `run_qa.py`
    /// ([differences](blockspan_engine::span)): the score is a softmax over the best spans of all windows.
    RunQa(AnswerOptions),
    /// Those of transformers' question-answering pipeline, for programs that were written for it.
    Pipeline(PipelineOptions),
}

/// The options of transformers' question-answering pipeline (5.2, the last version that has one), with its defaults.
///
/// An answer's score is P(start) · P(end), each a softmax over `[CLS]` and the passage's tokens of one window. Spans are
/// moved to the edges of words, and equal texts (but for case) are one answer, whose score is the sum.
///
/// It differs from the pipeline in this:
///
/// * a score that sums up to more than 1, over several windows, is 1;
/// * a list is never filled up with spans whose score is 0, because they end before they begin;
/// * equal scores have a fixed order: the window, then the better span of it;
/// * `max_question_len` cuts the question, as it is documented there; with a fast tokenizer, the pipeline ignores it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipelineOptions {
    /// The longest answer, in tokens; at least 1.
    pub max_answer_len: usize,
    /// A longer question is cut to its first so many tokens, at least 1.
    pub max_question_len: usize,
    /// Tokens that neighboring windows share; by default 128, or half a window if that is less.
    pub doc_stride: Option<usize>,
    /// Whether the empty answer competes; its score is the least P(start) · P(end) at `[CLS]` over the windows.
    pub handle_impossible_answer: bool,
    /// Whether answers are moved to the edges of words.
    pub align_to_words: bool,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            max_answer_len: 15,
            max_question_len: 64,
            doc_stride: None,
            handle_impossible_answer: false,
            align_to_words: true,
        }
    }
}

impl Options {
    /// How windows are cut, for windows of `max_seq_len` tokens.
    pub(crate) fn cutting(&self, max_seq_len: usize) -> AnswerOptions {
        match self.decoding {
            Decoding::RunQa(options) => options,
            Decoding::Pipeline(options) => AnswerOptions {
                max_answer_len: options.max_answer_len,
                max_query_length: options.max_question_len,
                doc_stride: Some(options.doc_stride.unwrap_or((max_seq_len / 2).min(128))),
                ..AnswerOptions::default()
            },
        }
    }

    /// Whether each field is in its range, for a reader with windows of up to `most` tokens; returns the longest window.
    pub(crate) fn check(&self, most: usize) -> Result<usize, Error> {
        const { assert!(MAX_N_BEST == 64) };
        let refuse = |name, allowed| Err(Error::InvalidOption { name, allowed });
        match self.decoding {
            Decoding::RunQa(options) => {
                options.check()?;
                if !(1..=options.n_best).contains(&self.top_k) {
                    return refuse("top_k", "1 to n_best");
                }
            }
            Decoding::Pipeline(options) => {
                if !(1..=MAX_N_BEST).contains(&self.top_k) {
                    return refuse("top_k", "1 to 64");
                }
                if options.max_answer_len == 0 {
                    return refuse("max_answer_len", "at least 1");
                }
                if options.max_question_len == 0 {
                    return refuse("max_question_len", "at least 1");
                }
            }
        }
        let asked = self.max_seq_len.unwrap_or(most);
        if (8..=most).contains(&asked) { Ok(asked) } else { Err(Error::MaxSeqLen { asked, most }) }
    }
}
