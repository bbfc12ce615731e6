//! The best answers from an index.

use core::cell::RefCell;
use std::sync::Arc;

use anyhow::Result;
use blockspan_reader::engine::AnswerOptions;
use blockspan_reader::{Job, RankOptions, Reader};

use crate::answering;
use crate::cli::Ask;
use crate::documents::{Document, Lines};
use crate::output::text::{self, Entry};
use crate::search::{Cited, Corpus, Found, PASSAGES, Place, Position, Query};

/// Finds passages, reads them, ranks their answers.
pub fn answer(args: &Ask, corpus: &Corpus, reader: &Reader, answer: &AnswerOptions) -> Result<Found> {
    let rank = RankOptions {
        top_k: args.top_k,
        per_document: args.per_document,
        max_seq_len: None,
        answer: *answer,
    };
    let options = rank.job_options()?;
    let query = Query::new(corpus, args.question.as_str(), args.passages.unwrap_or(PASSAGES));
    let job = |text| Job::new(Arc::clone(&query.question), text).with(options);
    let jobs: Vec<Job> = query.texts(corpus).into_iter().map(job).collect();
    let query = RefCell::new(query);
    for reply in reader.answer_many(jobs) {
        query.borrow_mut().add(reply).map_err(answering::remedy)?;
    }
    Ok(query.into_inner().finish(corpus, args.top_k))
}

/// The documents of the answers.
pub fn documents(corpus: &Corpus, found: &Found) -> Vec<Document> {
    let document = |cited: &Cited| {
        let document = corpus.index.document(cited.places.first()?.document)?;
        let lines = document.lines().map(|(at, line)| (at as usize, u64::from(line))).collect::<Vec<_>>();
        let lines = match () {
            () if document.has_pages() => Lines::Pages(lines),
            () if lines.is_empty() => Lines::Same,
            () => Lines::From(lines),
        };
        Some(Document { lines, ..Document::plain(document.text) })
    };
    found.answers.iter().filter_map(document).collect()
}

/// The answers for people, each with its document.
pub fn entries<'a>(found: &'a Found, documents: &'a [Document]) -> Vec<Entry<'a>> {
    let entry = |(cited, document): (&'a Cited, &'a Document)| {
        let (best, others) = cited.places.split_first()?;
        let name = best.name.document.as_str().unwrap_or_default();
        Some(Entry {
            answer: &cited.answer,
            document,
            place: Some(text::Place { name, margin: best.margin }),
            sentence: Some(cited.sentence.clone()),
            also: others.iter().map(shown).collect(),
        })
    };
    found.answers.iter().zip(documents).filter_map(entry).collect()
}

/// A place among others.
fn shown(place: &Place) -> String {
    let name = place.name.document.as_str().unwrap_or_default();
    match place.position {
        Position::Line(line) => format!("{name}:{line}"),
        Position::Page(page) => format!("{name}, page {page}"),
    }
}
