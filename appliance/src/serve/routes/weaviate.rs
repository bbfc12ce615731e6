//! What Weaviate's module `qna-transformers` asks: `POST /answers/`, and whether the server is there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use blockspan_engine::AnswerOptions;
use blockspan_reader::{Decoding, Job, Options};
use serde::{Deserialize, Serialize};

use crate::answering::check_numbers;
use crate::serve::answering::answer_one;
use crate::serve::app::App;
use crate::serve::body::Input;
use crate::serve::errors::ApiError;
use crate::serve::respond::with_json;

/// A text and a question about it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WeaviateRequest"))]
pub struct Request {
    text: String,
    question: String,
}

/// The request and the answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WeaviateResponse"))]
pub struct Reply {
    text: String,
    question: String,
    /// `null` if the text holds none, by the threshold that the model's file recommends.
    answer: Option<String>,
    /// The answer's score by the rules of `ask`: a probability among the spans of the text.
    certainty: Option<f32>,
}

/// What Weaviate shows of a module.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WeaviateMeta"))]
pub struct Meta {
    /// `blockspan`.
    name: &'static str,
    /// The version of `blockspan`.
    version: &'static str,
    model: MetaModel,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "WeaviateMetaModel"))]
struct MetaModel {
    /// The name of its file, without folders.
    name: String,
}

/// `POST /answers/`: answers by the rules of `ask`.
pub async fn answer(
    State(app): State<Arc<App>>,
    Input(request, _room): Input<Request>,
) -> Result<Response, ApiError> {
    let loaded = app.loaded();
    let null_threshold = loaded.reader().model().null_threshold().unwrap_or(f32::INFINITY);
    let rules = AnswerOptions { null_threshold, ..AnswerOptions::default() };
    let options = Options { decoding: Decoding::RunQa(rules), ..Options::default() };
    let job = Job::new(request.question.as_str(), request.text.as_str()).with(options);
    let reply = answer_one(&app, &loaded, job).await?;
    check_numbers(&reply, null_threshold)?;
    let (answer, certainty) = reply.answers.into_iter().next().map(|best| (best.text, best.score)).unzip();
    let Request { text, question } = request;
    Ok(with_json(&Reply { text, question, answer, certainty }))
}

/// `GET /.well-known/live`: 204 as long as the process works.
pub async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /.well-known/ready`: 204 while questions are taken, 503 on the way to the end.
pub async fn ready(State(app): State<Arc<App>>) -> StatusCode {
    if app.is_draining() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}

/// `GET /meta`.
pub async fn meta(State(app): State<Arc<App>>) -> Response {
    let model = MetaModel { name: app.loaded().file_name().to_owned() };
    with_json(&Meta { name: "blockspan", version: env!("CARGO_PKG_VERSION"), model })
}
