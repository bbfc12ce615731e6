//! `POST /`: the question-answering task of Hugging Face's inference API, for clients that were written for it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use blockspan_engine::span::MAX_N_BEST;
use blockspan_reader::{Answer, Decoding, Job, Options, PipelineOptions};
use serde::{Deserialize, Serialize};

use crate::answering::Overflow;
use crate::serve::answering::answer_one;
use crate::serve::app::App;
use crate::serve::body::Input;
use crate::serve::errors::ApiError;
use crate::serve::respond::with_json;

/// A question and the passage that may hold its answer.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "TaskRequest"))]
pub struct Request {
    inputs: Inputs,
    /// Fields that are not listed here are ignored.
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Inputs {
    question: String,
    context: String,
}

/// The parameters of transformers' question-answering pipeline.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
struct Parameters {
    /// How many answers, at least 1; fewer may come, and never more than 64. Default 1.
    top_k: Option<usize>,
    /// Tokens that neighboring windows share. Default 128, or half a window if that is less.
    doc_stride: Option<usize>,
    /// The longest answer in tokens. Default 15.
    max_answer_len: Option<usize>,
    /// The longest window in tokens, question included. Longer ones than the server's are cut to those.
    max_seq_len: Option<usize>,
    /// A longer question is cut to its first so many tokens. Default 64.
    max_question_len: Option<usize>,
    /// Whether the empty answer competes. Default false.
    handle_impossible_answer: Option<bool>,
    /// Whether answers are moved to the edges of words. Default true.
    align_to_words: Option<bool>,
}

/// An answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskAnswer {
    /// The context from `start` to `end`.
    answer: String,
    /// A probability.
    score: f32,
    /// The first character (Unicode scalar value) of the context.
    start: usize,
    /// One past the last character.
    end: usize,
}

/// One answer, or several if `top_k` is above 1.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum TaskResponse {
    One(TaskAnswer),
    Many(Vec<TaskAnswer>),
}

impl Parameters {
    fn options(&self, longest_window: usize) -> Options {
        let default = PipelineOptions::default();
        Options {
            top_k: self.top_k.unwrap_or(1).min(MAX_N_BEST),
            max_seq_len: Some(self.max_seq_len.unwrap_or(longest_window).min(longest_window)),
            decoding: Decoding::Pipeline(PipelineOptions {
                max_answer_len: self.max_answer_len.unwrap_or(default.max_answer_len),
                max_question_len: self.max_question_len.unwrap_or(default.max_question_len),
                doc_stride: self.doc_stride,
                handle_impossible_answer: self
                    .handle_impossible_answer
                    .unwrap_or(default.handle_impossible_answer),
                align_to_words: self.align_to_words.unwrap_or(default.align_to_words),
            }),
        }
    }
}

/// Answers by the rules of transformers' pipeline.
pub async fn answer(
    State(app): State<Arc<App>>,
    Input(request, _room): Input<Request>,
) -> Result<Response, ApiError> {
    let loaded = app.loaded();
    let parameters = request.parameters.unwrap_or_default();
    let options = parameters.options(loaded.reader().max_seq_len());
    let job = Job::new(request.inputs.question, request.inputs.context).with(options);
    let reply = answer_one(&app, &loaded, job).await?;
    let mut answers = reply.answers.into_iter().map(TaskAnswer::from);
    // Any passage has a span, unless the logits are no numbers.
    let first = answers.next().ok_or(Overflow)?;
    let response = match parameters.top_k {
        None | Some(1) => TaskResponse::One(first),
        Some(_) => TaskResponse::Many(core::iter::once(first).chain(answers).collect()),
    };
    Ok(with_json(&response))
}

impl From<Answer> for TaskAnswer {
    fn from(answer: Answer) -> Self {
        Self { answer: answer.text, score: answer.score, start: answer.start_char, end: answer.end_char }
    }
}
