//! The best answers of many files.

use core::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anyhow::{Error, Result, bail};
use blockspan_reader::engine::AnswerOptions;
use blockspan_reader::{Job, Options, RankOptions, RankedAnswer, Ranking, Reader};

use crate::answering;
use crate::cli::Ask;
use crate::documents::{Document, Files};
use crate::output;
use crate::output::json::DocumentName;
use crate::output::text::{Entry, Place};
use crate::passage::Passage;
use crate::search::Position;

/// What was found.
pub struct Found {
    pub ranking: Ranking,
    /// Of all documents that were read.
    pub names: Vec<DocumentName>,
    /// Those with an answer among the best.
    documents: BTreeMap<usize, Document>,
}

/// Reads the files one after another, and asks each. A file that cannot be read is an error if it was named, and passed over
/// with a note if it was found in a directory.
pub fn rank(args: &Ask, reader: &Reader, answer: &AnswerOptions) -> Result<Found> {
    let rank = RankOptions {
        top_k: args.top_k,
        per_document: args.per_document,
        max_seq_len: None,
        answer: *answer,
    };
    let source = RefCell::new(Source {
        files: Files::new(&args.passage.context_file),
        question: args.question.as_str().into(),
        options: rank.job_options()?,
        names: Vec::new(),
        ahead: VecDeque::new(),
        failed: None,
    });
    let (mut ranking, mut documents) = (Ranking::default(), BTreeMap::new());
    for reply in reader.answer_many(core::iter::from_fn(|| source.borrow_mut().next())) {
        let number = ranking.documents;
        let document = source.borrow_mut().ahead.pop_front();
        ranking.add(reply, rank.top_k).map_err(answering::remedy)?;
        // Only the texts that will be shown stay in memory.
        documents.extend(document.map(|document| (number, document)));
        documents.retain(|number, _| ranking.answers.iter().any(|ranked| ranked.document == *number));
    }
    let Source { names, failed, .. } = source.into_inner();
    if let Some(error) = failed {
        return Err(error);
    }
    let name = |number: usize| names.get(number).and_then(|name| name.document.as_str()).unwrap_or_default();
    if names.is_empty() {
        let paths: Vec<String> =
            args.passage.context_file.iter().map(|path| path.display().to_string()).collect();
        bail!("{}: no text there; name a directory with files of text (.txt, .md, .html)", paths.join(", "));
    }
    for (number, error) in &ranking.unread {
        if ranking.unread.len() == ranking.documents {
            bail!("{}: {error}", name(*number));
        }
        output::note(&format!("note: {}: {error}", name(*number)));
    }
    Ok(Found { ranking, names, documents })
}

/// Documents on their way to the reader.
struct Source {
    files: Files,
    question: Arc<str>,
    options: Options,
    names: Vec<DocumentName>,
    /// Those whose reply has not come yet.
    ahead: VecDeque<Document>,
    /// Why there are no more.
    failed: Option<Error>,
}

impl Source {
    fn next(&mut self) -> Option<Job> {
        loop {
            let file = match self.files.next()? {
                Ok(file) => file,
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            };
            match Passage::read_file(&file.path) {
                Ok(Passage { document, origin }) => {
                    self.names.push(DocumentName { document: origin.to_string().into(), meta: None });
                    let job = Job::new(Arc::clone(&self.question), Arc::clone(&document.text));
                    self.ahead.push_back(document);
                    return Some(job.with(self.options));
                }
                Err(error) if file.named => {
                    self.failed = Some(error);
                    return None;
                }
                Err(error) => output::note(&format!("note: {error:#}; passed over")),
            }
        }
    }
}

impl Found {
    /// The answers with their documents, best first.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        let entries =
            self.ranking.answers.iter().filter_map(|RankedAnswer { document, margin, answer, .. }| {
                let name = self.names.get(*document)?.document.as_str()?;
                let place = Some(Place { name, margin: *margin });
                Some(Entry {
                    answer,
                    document: self.documents.get(document)?,
                    place,
                    sentence: None,
                    also: Vec::new(),
                })
            });
        entries.collect()
    }

    /// The file's line or page of each answer.
    pub fn positions(&self) -> Vec<Position> {
        self.entries().iter().map(|entry| entry.document.position_at(entry.answer.start)).collect()
    }
}
