//! What the native requests share: questions, the rules of `ask`, replies.

use std::sync::Arc;

use axum::response::Response;
use blockspan_engine::AnswerOptions;
use blockspan_reader::Reader;
use serde::Serialize;

use crate::output::json::Object;
use crate::serve::app::App;
use crate::serve::errors::ApiError;
use crate::serve::respond::with_json_of;

/// A response is at most so many times as long as the longest request,
const RESPONSE: usize = 4;
/// or so many bytes, if that is more.
const LEAST_RESPONSE: usize = 1 << 20;

/// What `ask --json` prints; or, for `questions`, that for each of them.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Replies<'a> {
    One(Object<'a>),
    Many { results: Vec<Object<'a>> },
}

/// How passages are read, as far as a request says so.
pub struct Rules {
    pub n_best: Option<usize>,
    pub max_answer_len: Option<usize>,
    pub null_threshold: Option<f32>,
    pub max_query_length: Option<usize>,
    pub max_seq_len: Option<usize>,
    pub doc_stride: Option<usize>,
}

impl Rules {
    /// With the defaults of `ask`.
    ///
    /// # Errors
    /// 422 for windows that the server does not read.
    pub fn check(&self, reader: &Reader) -> Result<AnswerOptions, ApiError> {
        let (windows, longest) = (self.max_seq_len.unwrap_or(reader.max_seq_len()), reader.max_seq_len());
        if !(8..=longest).contains(&windows) {
            return Err(ApiError::validation(format!(
                "max_seq_len {windows}: give 8 to {longest} tokens, or start the server with a larger --max-seq-len"
            )));
        }
        if let Some(stride) = self.doc_stride.filter(|&stride| stride >= windows) {
            return Err(ApiError::validation(format!(
                "doc_stride {stride}: give less than the window's {windows} tokens (max_seq_len)"
            )));
        }
        let default = AnswerOptions::default();
        Ok(AnswerOptions {
            max_answer_len: self.max_answer_len.unwrap_or(default.max_answer_len),
            n_best: self.n_best.unwrap_or(default.n_best),
            null_threshold: self.null_threshold.unwrap_or(default.null_threshold),
            max_query_length: self.max_query_length.unwrap_or(default.max_query_length),
            doc_stride: self.doc_stride,
        })
    }
}

/// The questions of a request, and whether they came as a list.
///
/// # Errors
/// 422 for none or both kinds, 413 for more than `most`.
pub fn questions(
    one: Option<String>,
    many: Option<Vec<String>>,
    most: usize,
) -> Result<(Vec<Arc<str>>, bool), ApiError> {
    match (one, many) {
        (Some(question), None) => Ok((vec![question.into()], false)),
        (None, Some(questions)) if questions.len() > most => {
            Err(ApiError::too_many("questions", questions.len(), most, "--max-questions"))
        }
        (None, Some(questions)) if !questions.is_empty() => {
            Ok((questions.into_iter().map(Arc::from).collect(), true))
        }
        (None, _) => Err(ApiError::validation("no question; give question or questions")),
        (Some(_), Some(_)) => Err(ApiError::validation("both question and questions; give one of them")),
    }
}

/// Bytes of a response, at most.
pub fn longest_response(app: &App) -> usize {
    app.limits.max_body_bytes.saturating_mul(RESPONSE).max(LEAST_RESPONSE)
}

/// The objects of the questions, which came as a list or not.
///
/// # Errors
/// 413 for more than `most` bytes.
pub fn respond<'a>(
    mut objects: impl Iterator<Item = Object<'a>>,
    many: bool,
    most: usize,
) -> Result<Response, ApiError> {
    let replies = match objects.next() {
        Some(object) if !many => Replies::One(object),
        first => Replies::Many { results: first.into_iter().chain(objects).collect() },
    };
    with_json_of(&replies, most)
}
