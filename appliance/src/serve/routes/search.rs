//! `POST /v1/search-answer`: questions to the documents of the server's index.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use blockspan_reader::{Job, RankOptions};
use serde::Deserialize;

use super::rules::{self, Rules, respond};
use crate::answering;
use crate::output::json::Object;
use crate::search::{Found, PASSAGES, Query};
use crate::serve::answering::answer_all;
use crate::serve::app::App;
use crate::serve::body::Input;
use crate::serve::errors::{ApiError, Kind};
use crate::serve::loaded::Loaded;

/// One question or many.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "SearchAnswerRequest"))]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The question; or `questions`.
    question: Option<String>,
    /// Several questions. The response is then an object with `results`, in their order.
    questions: Option<Vec<String>>,
    /// How many answers, best first; those that say the same are one. Default 1.
    top_k: Option<usize>,
    /// How many passages are read, the best that the search finds. Default 20, but at most the server's limit on documents.
    passages: Option<usize>,
    /// The most answers from one passage. Default 1.
    per_document: Option<usize>,
    /// Starts and ends examined per window, and spans that share the score: 1 to 64. Default 20.
    n_best: Option<usize>,
    /// The longest answer in tokens. Default 30.
    max_answer_len: Option<usize>,
    /// Give no answer from a passage whose `null_diff` is above this. By default every passage has an answer.
    null_threshold: Option<f32>,
    /// Cut a longer question to its first tokens. By default a question that leaves no room for the passage is refused.
    max_query_length: Option<usize>,
    /// The longest window in tokens, question included, at least 8. Default, and the most: the server's.
    max_seq_len: Option<usize>,
    /// Tokens that neighboring windows share. By default the model's own number, but at most a third of a window that is
    /// shorter than the model's.
    doc_stride: Option<usize>,
}

/// Answers as `ask --index` does.
pub async fn answer(
    State(app): State<Arc<App>>,
    Input(mut request, _room): Input<Request>,
) -> Result<Response, ApiError> {
    let loaded = app.loaded();
    if loaded.corpus.is_none() {
        return Err(ApiError::new(Kind::NotFound, "this server has no index; start it with --index FILE"));
    }
    let (options, passages) = request.options(&app, &loaded)?;
    let many = request.questions.is_some();
    let (questions, _) =
        rules::questions(request.question.take(), request.questions.take(), app.limits.max_questions)?;
    let queries = search(&loaded, questions.clone(), passages).await?;
    let found = read(&app, &loaded, queries, &options, many).await?;
    let model = loaded.reader().model();
    let objects = questions.iter().zip(&found);
    let objects = objects.map(|(question, found)| Object::found(None, question, found, model));
    respond(objects, many, rules::longest_response(&app))
}

/// Looks for the passages; not on a thread that speaks HTTP, since a large index takes a while.
async fn search(
    loaded: &Arc<Loaded>,
    questions: Vec<Arc<str>>,
    passages: usize,
) -> Result<Vec<Query>, ApiError> {
    let loaded = Arc::clone(loaded);
    let search = move || {
        let corpus = loaded.corpus.as_ref();
        let query = |question| corpus.map(|corpus| Query::new(corpus, question, passages));
        questions.into_iter().filter_map(query).collect()
    };
    let queries = tokio::task::spawn_blocking(search).await;
    queries.map_err(|_| ApiError::new(Kind::Internal, "internal error; please report it"))
}

/// Reads the passages of all questions.
async fn read(
    app: &App,
    loaded: &Loaded,
    queries: Vec<Query>,
    options: &RankOptions,
    many: bool,
) -> Result<Vec<Found>, ApiError> {
    let Some(corpus) = &loaded.corpus else { return Ok(Vec::new()) };
    let job_options = options.job_options().map_err(|error| ApiError::of_reader(&error.into(), ""))?;
    let mut jobs = Vec::new();
    let mut counts = Vec::new();
    for query in &queries {
        let texts = query.texts(corpus);
        counts.push(texts.len());
        let job = |text| Job::new(Arc::clone(&query.question), text).with(job_options);
        jobs.extend(texts.into_iter().map(job));
    }
    let mut replies = answer_all(app, loaded, jobs.into_iter()).await?.into_iter();
    let mut found = Vec::new();
    for (index, (mut query, count)) in queries.into_iter().zip(counts).enumerate() {
        let place = if many { format!("questions[{index}]") } else { String::new() };
        for reply in replies.by_ref().take(count) {
            query.add(reply).map_err(|error| ApiError::of_reader(&error, &place))?;
        }
        let answers = query.finish(corpus, options.top_k);
        answering::check_found(&answers)?;
        found.push(answers);
    }
    Ok(found)
}

impl Request {
    /// How passages are read, and how many.
    fn options(&self, app: &App, loaded: &Loaded) -> Result<(RankOptions, usize), ApiError> {
        let rules = Rules {
            n_best: self.n_best,
            max_answer_len: self.max_answer_len,
            null_threshold: self.null_threshold,
            max_query_length: self.max_query_length,
            max_seq_len: self.max_seq_len,
            doc_stride: self.doc_stride,
        };
        let answer = rules.check(loaded.reader())?;
        let most = app.limits.max_documents;
        let passages = self.passages.unwrap_or(PASSAGES.min(most));
        if !(1..=most).contains(&passages) {
            return Err(ApiError::validation(format!(
                "passages {passages}: give 1 to {most}, or start the server with a larger --max-documents"
            )));
        }
        let options = RankOptions {
            top_k: self.top_k.unwrap_or(1),
            per_document: self.per_document.unwrap_or(1),
            max_seq_len: self.max_seq_len,
            answer,
        };
        Ok((options, passages))
    }
}
