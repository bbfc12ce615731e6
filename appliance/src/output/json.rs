//! The stable JSON of `ask` and `tokenize`; `README.md` documents it field by field.

use anyhow::Result;
use blockspan_engine::tokenizer::{Tokenizer, Tokens};
use blockspan_squad::printable_json;
use serde::Serialize;

use super::Reply;

/// The order of the fields is part of the promise.
#[derive(Serialize)]
struct Object<'a> {
    question: &'a str,
    answers: Vec<Item<'a>>,
    null_diff: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    answerable: Option<f32>,
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
    let &Reply { question, null_diff, answerable, .. } = reply;
    line(&Object { question, answers: answers.collect(), null_diff, answerable })
}

/// Any value as JSON on one line, in which nothing can steer a terminal.
pub fn line(value: &impl Serialize) -> Result<String> {
    Ok(printable_json(&serde_json::to_string(value)?) + "\n")
}

/// A line's tokens, one array for each property.
#[derive(Default, Serialize)]
struct Tokenized<'a> {
    ids: Vec<u32>,
    tokens: Vec<&'a str>,
    offsets: Vec<[u32; 2]>,
}

/// One object on one line.
pub fn tokens(tokenizer: &Tokenizer<'_>, tokens: Tokens<'_, '_>) -> Result<String> {
    let mut object = Tokenized::default();
    for token in tokens {
        object.ids.push(token.id);
        object.tokens.push(tokenizer.vocabulary().token(token.id).unwrap_or_default());
        object.offsets.push([token.start, token.end]);
    }
    line(&object)
}
