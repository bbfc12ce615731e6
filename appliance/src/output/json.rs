//! The stable JSON of `ask`; `README.md` documents it field by field.

use anyhow::Result;
use serde::Serialize;

use super::Reply;

/// The order of the fields is part of the promise.
#[derive(Serialize)]
struct Object<'a> {
    question: &'a str,
    answers: Vec<Item<'a>>,
    null_diff: f32,
}

#[derive(Serialize)]
struct Item<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    start_char: usize,
    end_char: usize,
    score: f32,
    start_logit: f32,
    end_logit: f32,
}

/// One object on one line.
pub fn reply(reply: &Reply<'_>) -> Result<String> {
    let answers = reply.answers.iter().map(|answer| Item {
        text: reply.text_of(answer),
        start: answer.start,
        end: answer.end,
        start_char: answer.start_char,
        end_char: answer.end_char,
        score: answer.score,
        start_logit: answer.start_logit,
        end_logit: answer.end_logit,
    });
    let object = Object { question: reply.question, answers: answers.collect(), null_diff: reply.null_diff };
    Ok(serde_json::to_string(&object)? + "\n")
}
