//! `POST /v1/answer`: questions and passages by the rules of `ask`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use blockspan_reader::{Error, Job, RankOptions, Ranking, Reader, Reply};
use serde::Deserialize;
use serde_json::Value;

use crate::answering::check_numbers;
use crate::output::json::{DocumentName, Object};
use crate::serve::answering::answer_all;
use crate::serve::app::App;
use crate::serve::body::Input;
use crate::serve::errors::ApiError;

use super::rules::{self, Rules, respond};

/// One question or many, about one passage or many documents.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "AnswerRequest"))]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The question; or `questions`.
    question: Option<String>,
    /// Several questions about the same texts. The response is then an object with `results`, in their order.
    questions: Option<Vec<String>>,
    /// The passage, of any length; or `documents`.
    context: Option<String>,
    /// Several texts. The answers are the best of all, ranked by how far each is ahead of "no answer" in its document.
    documents: Option<Vec<Document>>,
    /// How many answers, best first, at most `n_best`. Default 1.
    top_k: Option<usize>,
    /// With `documents`: the most answers of one of them. Default 1.
    per_document: Option<usize>,
    /// Starts and ends examined per window, and spans that share the score: 1 to 64. Default 20.
    n_best: Option<usize>,
    /// The longest answer in tokens. Default 30.
    max_answer_len: Option<usize>,
    /// Give no answer where `null_diff` is above this. By default every question has an answer.
    null_threshold: Option<f32>,
    /// Cut a longer question to its first tokens. By default a question that leaves no room for the passage is refused.
    max_query_length: Option<usize>,
    /// The longest window in tokens, question included, at least 8. Default, and the most: the server's.
    max_seq_len: Option<usize>,
    /// Tokens that neighboring windows share. By default the model's own number, but at most a third of a window that is
    /// shorter than the model's.
    doc_stride: Option<usize>,
}

/// One text of several.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Document {
    /// What the answers call it: a text or a number. By default its number in the request, from 0.
    id: Option<Value>,
    text: String,
    /// Anything; given back with each answer.
    meta: Option<Value>,
}

/// What the questions are about.
enum Texts {
    Passage(Arc<str>),
    Documents { names: Vec<DocumentName>, texts: Vec<Arc<str>> },
}

/// Answers by the rules of `ask`.
pub async fn answer(
    State(app): State<Arc<App>>,
    Input(mut request, _room): Input<Request>,
) -> Result<Response, ApiError> {
    let loaded = app.loaded();
    let reader = loaded.reader();
    let options = request.options(reader)?;
    let (questions, many) = request.questions(app.limits.max_questions)?;
    let texts = request.texts(app.limits.max_documents)?;
    let job_options = options.job_options().map_err(|error| ApiError::of_reader(&error.into(), ""))?;
    let mut jobs = Vec::new();
    for question in &questions {
        let job = |text: &Arc<str>| Job::new(Arc::clone(question), Arc::clone(text)).with(job_options);
        jobs.extend(texts.all().iter().map(job));
    }
    let mut replies = answer_all(&app, &loaded, jobs.into_iter()).await?.into_iter();
    let place = |index: usize| if many { format!("questions[{index}]") } else { String::new() };
    let threshold = options.answer.null_threshold;
    let most = rules::longest_response(&app);
    match &texts {
        Texts::Passage(_) => {
            let reply = |(index, reply): (usize, Result<Reply, Error>)| {
                let reply = reply.map_err(|error| ApiError::of_reader(&error, &place(index)))?;
                check_numbers(&reply, threshold)?;
                Ok(reply)
            };
            let replies: Vec<Reply> = replies.enumerate().map(reply).collect::<Result<_, ApiError>>()?;
            let objects = questions.iter().zip(&replies);
            let objects = objects.map(|(question, reply)| Object::new(None, question, reply, reader.model()));
            respond(objects, many, most)
        }
        Texts::Documents { names, texts } => {
            let mut rankings = Vec::new();
            for index in 0..questions.len() {
                let mut ranking = Ranking::default();
                for reply in replies.by_ref().take(texts.len()) {
                    if let Ok(reply) = &reply {
                        check_numbers(reply, threshold)?;
                    }
                    let added = ranking.add(reply, options.top_k);
                    added.map_err(|error| ApiError::of_reader(&error, &place(index)))?;
                }
                rankings.push(ranking);
            }
            let objects = questions.iter().zip(&rankings);
            let objects = objects
                .map(|(question, ranking)| Object::ranked(None, question, ranking, names, reader.model()));
            respond(objects, many, most)
        }
    }
}

impl Texts {
    fn all(&self) -> &[Arc<str>] {
        match self {
            Self::Passage(passage) => core::slice::from_ref(passage),
            Self::Documents { texts, .. } => texts,
        }
    }
}

impl Request {
    /// How each text is read.
    fn options(&self, reader: &Reader) -> Result<RankOptions, ApiError> {
        let rules = Rules {
            n_best: self.n_best,
            max_answer_len: self.max_answer_len,
            null_threshold: self.null_threshold,
            max_query_length: self.max_query_length,
            max_seq_len: self.max_seq_len,
            doc_stride: self.doc_stride,
        };
        let answer = rules.check(reader)?;
        let (top_k, per_document) = match (&self.documents, self.per_document) {
            (Some(_), per_document) => (self.top_k.unwrap_or(1), per_document.unwrap_or(1)),
            // All answers are those of the one passage.
            (None, None) => (self.top_k.unwrap_or(1), self.top_k.unwrap_or(1)),
            (None, Some(_)) => {
                return Err(ApiError::validation("per_document is for documents; leave it out"));
            }
        };
        if self.documents.is_none() && !(1..=answer.n_best).contains(&top_k) {
            return Err(ApiError::validation(format!("top_k {top_k}: give 1 to {} (n_best)", answer.n_best)));
        }
        Ok(RankOptions { top_k, per_document, max_seq_len: self.max_seq_len, answer })
    }

    /// The questions, and whether they came as a list.
    fn questions(&mut self, most: usize) -> Result<(Vec<Arc<str>>, bool), ApiError> {
        rules::questions(self.question.take(), self.questions.take(), most)
    }

    fn texts(&mut self, most: usize) -> Result<Texts, ApiError> {
        match (self.context.take(), self.documents.take()) {
            (Some(context), None) => Ok(Texts::Passage(context.into())),
            (None, Some(documents)) if documents.len() > most => {
                Err(ApiError::too_many("documents", documents.len(), most, "--max-documents"))
            }
            (None, Some(documents)) if !documents.is_empty() => Texts::of(documents),
            (None, _) => Err(ApiError::validation("no passage; give context or documents")),
            (Some(_), Some(_)) => Err(ApiError::validation("both context and documents; give one of them")),
        }
    }
}

impl Texts {
    fn of(documents: Vec<Document>) -> Result<Self, ApiError> {
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for (number, Document { id, text, meta }) in documents.into_iter().enumerate() {
            let document = id.unwrap_or_else(|| number.into());
            if !(document.is_string() || document.is_number()) {
                return Err(ApiError::validation(format!("documents[{number}].id: give a text or a number")));
            }
            names.push(DocumentName { document, meta });
            texts.push(text.into());
        }
        Ok(Self::Documents { names, texts })
    }
}
