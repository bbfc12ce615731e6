//! A line of output.

use anyhow::Result;
use blockspan_reader::engine::Model;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::{Asked, Item, Text};
use super::window::Outcome;
use crate::answering;
use crate::output::json::{self, DocumentName, Object};

/// A line as it is written.
pub struct Record {
    /// JSON, with its line end.
    pub line: String,
    /// Whether it is an error.
    pub is_error: bool,
}

/// Why an item has no answer. The order of the fields is part of the promise.
#[derive(Serialize)]
struct Failure<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    id: &'a Value,
    error: &'a str,
}

impl Record {
    /// What came of an item.
    pub fn new(item: &Item, outcome: Outcome, model: &Model<'_>, null_threshold: f32) -> Result<Self> {
        let answered = match (outcome, &item.asked) {
            (Outcome::Bad(error), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Outcome::Reply(reply), Ok(asked)) => reply
                .map_err(answering::remedy)
                .and_then(|reply| {
                    answering::check_numbers(&reply, null_threshold)?;
                    json::line(&Object::new(Some(&item.id), &asked.question, &reply, model))
                })
                .map_err(|error| error.to_string()),
            (Outcome::Found(found), Ok(asked)) => found
                .map_err(answering::remedy)
                .and_then(|found| {
                    answering::check_found(&found)?;
                    json::line(&Object::found(Some(&item.id), &asked.question, &found, model))
                })
                .map_err(|error| error.to_string()),
            (Outcome::Ranking(ranking), Ok(asked)) => ranking
                .map_err(answering::remedy)
                .and_then(|ranking| {
                    answering::check_ranking(&ranking)?;
                    let names = names(asked);
                    json::line(&Object::ranked(Some(&item.id), &asked.question, &ranking, names, model))
                })
                .map_err(|error| error.to_string()),
        };
        Ok(match answered {
            Ok(line) => Self { line, is_error: false },
            Err(error) => {
                let (file, line) = (item.place.file.as_deref(), item.place.line);
                let failure = Failure { file, line, id: &item.id, error: &error };
                Self { line: json::line(&failure)?, is_error: true }
            }
        })
    }
}

fn names(asked: &Asked) -> &[DocumentName] {
    match &asked.text {
        Text::Documents(documents) => &documents.names,
        Text::Passage(_) | Text::Index => &[],
    }
}

/// What a line that was written earlier is about.
#[derive(Deserialize)]
pub struct Written {
    id: Value,
    question: Option<String>,
    line: Option<u64>,
    error: Option<String>,
}

impl Written {
    /// Whether the line is about this item.
    pub fn is_about(&self, item: &Item) -> bool {
        let same = match (&self.error, &item.asked) {
            (Some(_), _) => self.line == item.place.line,
            (None, Ok(asked)) => self.question.as_deref() == Some(&*asked.question),
            (None, Err(_)) => false,
        };
        same && self.id == item.id
    }

    pub fn is_error(&self) -> bool {
        self.error.is_some()
    }
}
