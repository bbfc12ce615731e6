//! The stable JSON of `ask` and of whatever answers in its shape, and of `tokenize`; `README.md` documents it field by
//! field.

use anyhow::Result;
use blockspan_engine::Model;
use blockspan_engine::tokenizer::{Tokenizer, Tokens};
use blockspan_reader::{Answer, Ranking, Reply};
use blockspan_squad::printable_json;
use serde::Serialize;
use serde_json::Value;

use crate::search::{Cited, Found, Place, Position};

/// A question and its answers: `ask --json`. The order of the fields is part of the promise.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Reply"))]
pub struct Object<'a> {
    /// Where there are many questions: which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    question: &'a str,
    answers: Vec<Item<'a>>,
    null_diff: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    answerable: Option<f32>,
    /// Documents that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Unread<'a>>,
}

/// An answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Answer"))]
struct Item<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    start_char: usize,
    end_char: usize,
    score: f32,
    start_logit: f32,
    end_logit: f32,
    start_utf16: usize,
    end_utf16: usize,
    #[serde(flatten)]
    document: Option<InDocument<'a>>,
    /// Of a file that has pages, from 1, but for answers from an index, which have it above.
    #[cfg_attr(test, schemars(skip))]
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
}

/// Where the answer stands, if that may be one of several documents.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InDocument<'a> {
    #[serde(flatten)]
    name: &'a DocumentName,
    /// Of a file, from 1; the service has no files.
    #[cfg_attr(test, schemars(skip))]
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    margin: f32,
    #[serde(flatten)]
    found: Option<InIndex<'a>>,
}

/// Where an answer from an index stands.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct InIndex<'a> {
    /// In place of the line, of a file that has pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    /// How well the passage fits the question by its words.
    retrieval: f32,
    /// Around the answer.
    sentence: &'a str,
    /// Everywhere that passages which were read have this answer, best first; this place is the first.
    places: Vec<OnePlace<'a>>,
}

/// One of the places of an answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Place"))]
struct OnePlace<'a> {
    document: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    start: usize,
    end: usize,
    start_char: usize,
    end_char: usize,
    start_utf16: usize,
    end_utf16: usize,
    margin: f32,
    retrieval: f32,
}

/// What a document is called, and what its sender said of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DocumentName {
    /// Its id.
    pub document: Value,
    /// Given back as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
}

/// A document that has no answer because it cannot be read.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unread<'a> {
    document: &'a Value,
    error: String,
}

impl<'a> Object<'a> {
    /// The answers from one passage. [`line()`] makes of it what `ask --json` prints.
    pub fn new(id: Option<&'a Value>, question: &'a str, reply: &'a Reply, model: &Model<'_>) -> Self {
        let answers = reply.answers.iter().map(|answer| Item::new(answer, None)).collect();
        let null_diff = reply.null_diff;
        Self {
            id,
            question,
            answers,
            null_diff,
            answerable: answerable(model, null_diff),
            unread: Vec::new(),
        }
    }

    /// The answers from several documents, which are named in the order of the ranking's numbers.
    pub fn ranked(
        id: Option<&'a Value>,
        question: &'a str,
        ranking: &'a Ranking,
        names: &'a [DocumentName],
        model: &Model<'_>,
    ) -> Self {
        let answers = ranking.answers.iter().map(|ranked| {
            let document = names.get(ranked.document);
            Item::new(
                &ranked.answer,
                document.map(|name| InDocument { name, line: None, margin: ranked.margin, found: None }),
            )
        });
        let unread = ranking.unread.iter().filter_map(|(document, error)| {
            Some(Unread { document: &names.get(*document)?.document, error: error.to_string() })
        });
        let null_diff = ranking.null_diff;
        let answerable = answerable(model, null_diff);
        Self { id, question, answers: answers.collect(), null_diff, answerable, unread: unread.collect() }
    }
}

impl<'a> Object<'a> {
    /// The answers from an index.
    pub fn found(id: Option<&'a Value>, question: &'a str, found: &'a Found, model: &Model<'_>) -> Self {
        let answers = found.answers.iter().filter_map(|cited| {
            let best = cited.places.first()?;
            Some(Item::new(&cited.answer, Some(InDocument::cited(cited, best))))
        });
        let null_diff = found.null_diff;
        let answerable = answerable(model, null_diff);
        Self { id, question, answers: answers.collect(), null_diff, answerable, unread: Vec::new() }
    }
}

impl<'a> InDocument<'a> {
    fn cited(cited: &'a Cited, best: &'a Place) -> Self {
        let (line, page) = best.position.split();
        let found = InIndex {
            page,
            retrieval: best.retrieval,
            sentence: &cited.sentence_text,
            places: cited.places.iter().map(OnePlace::new).collect(),
        };
        Self { name: &best.name, line: line.map(u64::from), margin: best.margin, found: Some(found) }
    }
}

impl<'a> OnePlace<'a> {
    fn new(place: &'a Place) -> Self {
        let (line, page) = place.position.split();
        Self {
            document: &place.name.document,
            line,
            page,
            start: place.bytes.start,
            end: place.bytes.end,
            start_char: place.chars.start,
            end_char: place.chars.end,
            start_utf16: place.utf16.start,
            end_utf16: place.utf16.end,
            margin: place.margin,
            retrieval: place.retrieval,
        }
    }
}

impl Position {
    /// The line, or the page.
    fn split(self) -> (Option<u32>, Option<u32>) {
        match self {
            Self::Line(line) => (Some(line), None),
            Self::Page(page) => (None, Some(page)),
        }
    }
}

impl Object<'_> {
    /// Adds to each answer the line or page of the file in which it begins; where there is only one document, no line, since
    /// that of its text is easily counted.
    pub fn with_positions(mut self, positions: &[Position]) -> Self {
        for (item, position) in self.answers.iter_mut().zip(positions) {
            let (line, page) = position.split();
            item.page = page;
            if let Some(document) = &mut item.document {
                document.line = line.map(u64::from);
            }
        }
        self
    }
}

impl<'a> Item<'a> {
    fn new(answer: &'a Answer, document: Option<InDocument<'a>>) -> Self {
        Self {
            text: &answer.text,
            start: answer.start,
            end: answer.end,
            start_char: answer.start_char,
            end_char: answer.end_char,
            score: answer.score,
            start_logit: answer.start_logit,
            end_logit: answer.end_logit,
            start_utf16: answer.start_utf16,
            end_utf16: answer.end_utf16,
            document,
            page: None,
        }
    }
}

/// The probability that there is an answer, where the model's file has what it follows from.
pub fn answerable(model: &Model<'_>, null_diff: f32) -> Option<f32> {
    model.answerable().map(|fitted| fitted.probability(null_diff))
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
