//! Items that are being answered, in order.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use blockspan_reader::{Error, Job, Options, RankOptions, Ranking, Reader, Reply, Ticket, engine};

use super::item::{Item, Text};
use crate::search::{Corpus, Found, Query};

/// Items for each session that are ahead of the answers written.
const AHEAD: usize = 4;

/// Bytes of questions and passages above which no further item is taken.
const MOST_BYTES: usize = 1 << 26;

/// What came of an item.
pub enum Outcome {
    Reply(Result<Reply, Error>),
    Ranking(Result<Ranking, Error>),
    Found(Result<Found, Error>),
    /// Why it could not be asked.
    Bad(String),
}

/// Items in the order of the input, each with the jobs that answer it.
pub struct Window<'r> {
    reader: &'r Reader,
    options: Options,
    /// For each of several documents.
    document_options: Options,
    /// The most answers from all of them.
    top_k: usize,
    /// What is searched, if that is asked for.
    searched: Option<Searched<'r>>,
    pending: VecDeque<Pending>,
    bytes: usize,
}

/// An index, and how many of its passages are read for a question.
#[derive(Clone, Copy)]
pub struct Searched<'r> {
    pub corpus: &'r Corpus,
    pub passages: usize,
}

struct Pending {
    item: Item,
    /// The search that its jobs are from.
    query: Option<Query>,
    /// Jobs that have no reply yet: one, or one for each document left.
    tickets: VecDeque<Ticket>,
    /// What came of it so far.
    outcome: Option<Outcome>,
    bytes: usize,
}

impl<'r> Window<'r> {
    pub fn new(
        reader: &'r Reader,
        options: Options,
        rank: RankOptions,
        searched: Option<Searched<'r>>,
    ) -> Result<Self, engine::Error> {
        let (document_options, top_k) = (rank.job_options()?, rank.top_k);
        Ok(Self { reader, options, document_options, top_k, searched, pending: VecDeque::new(), bytes: 0 })
    }

    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether another item should be added.
    pub fn has_room(&self) -> bool {
        self.is_empty() || self.pending.len() < AHEAD * self.reader.sessions() && self.bytes < MOST_BYTES
    }

    /// Begins to answer an item.
    pub fn add(&mut self, mut item: Item) {
        let mut tickets = VecDeque::new();
        let (mut query, mut outcome) = (None, None);
        let mut bytes = 0;
        let mut submit = |question: &Arc<str>, passage: &Arc<str>, options| {
            let job = Job::new(Arc::clone(question), Arc::clone(passage)).with(options);
            tickets.push_back(self.reader.submit(job));
        };
        match &mut item.asked {
            Ok(asked) => {
                bytes = asked.bytes();
                match &mut asked.text {
                    Text::Passage(passage) => submit(&asked.question, passage, self.options),
                    Text::Documents(documents) => {
                        let texts = documents.texts.drain(..);
                        texts.for_each(|text| submit(&asked.question, &text, self.document_options));
                        outcome = Some(Outcome::Ranking(Ok(Ranking::default())));
                    }
                    Text::Index => {
                        if let Some(Searched { corpus, passages }) = self.searched {
                            let searched = Query::new(corpus, Arc::clone(&asked.question), passages);
                            let texts = searched.texts(corpus);
                            bytes += texts.iter().map(|text| text.len()).sum::<usize>();
                            texts
                                .iter()
                                .for_each(|text| submit(&asked.question, text, self.document_options));
                            query = Some(searched);
                        }
                    }
                }
            }
            Err(error) => outcome = Some(Outcome::Bad(core::mem::take(error))),
        }
        self.bytes += bytes;
        self.pending.push_back(Pending { item, query, tickets, outcome, bytes });
    }

    /// Waits for what comes of the first item, but not longer than `limit`, if there is one. Nothing if the window is
    /// empty or the time is up.
    pub fn next(&mut self, limit: Option<Duration>) -> Option<(Item, Outcome)> {
        let first = self.pending.front_mut()?;
        while let Some(ticket) = first.tickets.front_mut() {
            let reply = match limit {
                Some(limit) => {
                    let reply = ticket.wait_for(limit)?;
                    first.tickets.pop_front();
                    reply
                }
                None => first.tickets.pop_front()?.wait(),
            };
            if let Some(query) = &mut first.query {
                if let Err(error) = query.add(reply) {
                    first.tickets.clear();
                    first.query = None;
                    first.outcome = Some(Outcome::Found(Err(error)));
                }
                continue;
            }
            match &mut first.outcome {
                Some(Outcome::Ranking(Ok(ranking))) => {
                    if let Err(error) = ranking.add(reply, self.top_k) {
                        // The same is wrong for the other documents.
                        first.tickets.clear();
                        first.outcome = Some(Outcome::Ranking(Err(error)));
                    }
                }
                outcome => *outcome = Some(Outcome::Reply(reply)),
            }
        }
        let Pending { item, query, outcome, bytes, .. } = self.pending.pop_front()?;
        self.bytes -= bytes;
        let found = query.zip(self.searched);
        let found = found.map(|(query, searched)| query.finish(searched.corpus, self.top_k));
        Some((item, found.map(|found| Outcome::Found(Ok(found))).or(outcome)?))
    }
}
