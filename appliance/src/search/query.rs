//! One question to a corpus: which passages are read, and what comes of them.

use std::sync::Arc;

use blockspan_reader::{Error, Ranking, Reply, engine, merge};
use blockspan_retrieval::{Hit, SearchOptions};

use super::cite::{self, Cited};
use super::corpus::Corpus;

/// How many passages are read unless another number is asked for.
pub const PASSAGES: usize = 20;

/// What a point of a passage's retrieval score is worth beside the logits of an answer: of the weights that
/// `benchmarks/search.py --fit` tries, the one with the best F1 on questions of SQuAD's training set, where all from 0.8 to
/// 1.25 are within 0.1.
const WEIGHT: f32 = 1.0;

/// A question whose passages are known.
pub struct Query {
    pub question: Arc<str>,
    /// Best first.
    hits: Vec<Hit>,
    ranking: Ranking,
}

/// What came of a question.
pub struct Found {
    /// Best first.
    pub answers: Vec<Cited>,
    /// The least of all passages that were read; infinite if there is none.
    pub null_diff: f32,
    /// How many passages were read.
    pub passages: usize,
    /// Windows that they took.
    pub windows: usize,
}

impl Query {
    /// Looks for the passages.
    pub fn new(corpus: &Corpus, question: impl Into<Arc<str>>, passages: usize) -> Self {
        let question = question.into();
        let options = SearchOptions { passages, ..SearchOptions::default() };
        let hits = corpus.index.search(&question, &options);
        Self { question, hits, ranking: Ranking::default() }
    }

    /// The texts to read, whose replies [`add`](Self::add) wants in the same order. Where no passage has a word of the
    /// question, it is the question itself, so that one that cannot be asked is refused all the same.
    pub fn texts(&self, corpus: &Corpus) -> Vec<Arc<str>> {
        if self.hits.is_empty() {
            return vec![Arc::clone(&self.question)];
        }
        let text =
            |hit: &Hit| corpus.index.passage(hit.passage).map(|passage| passage.text).unwrap_or_default();
        self.hits.iter().map(|hit| text(hit).into()).collect()
    }

    /// The next reply.
    ///
    /// # Errors
    /// What is wrong with the question or the options.
    pub fn add(&mut self, reply: Result<Reply, Error>) -> Result<(), Error> {
        match self.hits.get(self.ranking.documents) {
            // All answers are kept until those that say the same are one.
            Some(hit) => self.ranking.add_with_prior(reply, WEIGHT * hit.score, usize::MAX),
            None => match reply {
                Ok(_) | Err(Error::Engine(engine::Error::EmptyPassage)) => Ok(()),
                Err(error) => Err(error),
            },
        }
    }

    /// The best answers, each with all of its places.
    pub fn finish(self, corpus: &Corpus, top_k: usize) -> Found {
        let Self { hits, ranking, .. } = self;
        let groups = merge(&ranking.answers).into_iter().take(top_k);
        let answers = groups.filter_map(|group| {
            let ranked = group.iter().filter_map(|&number| ranking.answers.get(number));
            cite::cite(corpus, &hits, ranked)
        });
        Found {
            answers: answers.collect(),
            null_diff: ranking.null_diff,
            passages: ranking.documents - ranking.unread.len(),
            windows: ranking.windows,
        }
    }
}
