//! A question and many documents.

use std::sync::Arc;

use blockspan_engine::{self as engine, AnswerOptions};

use crate::error::Error;
use crate::job::{Decoding, Job, Options};
use crate::reader::Reader;
use crate::reply::{Answer, Reply};

/// How to find the best answers in many documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankOptions {
    /// The most answers, best first; at least 1.
    pub top_k: usize,
    /// The most answers of one document: 1 to `n_best` of `answer`.
    pub per_document: usize,
    /// As [`Options::max_seq_len`].
    pub max_seq_len: Option<usize>,
    /// How a document is read. A document whose `null_diff` is above `null_threshold` has no answer.
    pub answer: AnswerOptions,
}

impl Default for RankOptions {
    /// Five answers, one of a document.
    fn default() -> Self {
        Self { top_k: 5, per_document: 1, max_seq_len: None, answer: AnswerOptions::default() }
    }
}

/// An answer and the document that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedAnswer {
    /// The document's number, from 0, in the order in which they were given.
    pub document: usize,
    /// `start_logit + end_logit` minus the document's null score: how far the answer is ahead of "no answer" there. The
    /// documents are ranked by it, since it means the same in all of them; `score`, a probability among the spans of one
    /// document, does not.
    pub margin: f32,
    /// What was known for the document before it was read ([`Ranking::add_with_prior`]); else 0.
    pub prior: f32,
    /// The answer; its places are those in the document.
    pub answer: Answer,
}

impl RankOptions {
    /// How each document is answered, for programs that hand the jobs in themselves and give what comes of them to
    /// [`Ranking::add`].
    ///
    /// # Errors
    /// [`engine::Error::InvalidOption`].
    pub fn job_options(&self) -> Result<Options, engine::Error> {
        let refuse = |name, allowed| Err(engine::Error::InvalidOption { name, allowed });
        if self.top_k == 0 {
            return refuse("top_k", "at least 1");
        }
        self.answer.check()?;
        if !(1..=self.answer.n_best).contains(&self.per_document) {
            return refuse("per_document", "1 to n_best");
        }
        let decoding = Decoding::RunQa(self.answer);
        Ok(Options { top_k: self.per_document, max_seq_len: self.max_seq_len, decoding })
    }
}

/// The best answers of many documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Best first, by `margin + prior`. Equal ones are in the order of the documents.
    pub answers: Vec<RankedAnswer>,
    /// The least [`Reply::null_diff`] of all documents: how far "no answer" is ahead where it is ahead the least. Minus
    /// the best answer's margin, if there is one; infinite if no document was read.
    pub null_diff: f32,
    /// How many documents there were.
    pub documents: usize,
    /// Windows that all of them took.
    pub windows: usize,
    /// Documents that cannot be read, for example because they are empty.
    pub unread: Vec<(usize, Error)>,
}

impl Reader {
    /// Asks many documents the same question, on all sessions; returns the best answers of all. Memory is bounded as in
    /// [`Reader::answer_many`], so that the documents may be read from somewhere meanwhile.
    ///
    /// # Errors
    /// What is wrong with the question or the options; what is wrong with a document is in [`Ranking::unread`].
    pub fn rank<D>(
        &self,
        question: impl Into<Arc<str>>,
        documents: D,
        options: &RankOptions,
    ) -> Result<Ranking, Error>
    where
        D: IntoIterator,
        D::Item: Into<Arc<str>>,
    {
        let job_options = options.job_options()?;
        let question: Arc<str> = question.into();
        let jobs =
            documents.into_iter().map(|document| Job::new(Arc::clone(&question), document).with(job_options));
        let mut ranking = Ranking::default();
        for reply in self.answer_many(jobs) {
            ranking.add(reply, options.top_k)?;
        }
        Ok(ranking)
    }
}

impl Default for Ranking {
    /// That of no document.
    fn default() -> Self {
        Self { answers: Vec::new(), null_diff: f32::INFINITY, documents: 0, windows: 0, unread: Vec::new() }
    }
}

impl Ranking {
    /// What came of the next document; of all answers, the `top_k` best stay.
    ///
    /// # Errors
    /// What is wrong with the question or the options; what is wrong with the document is in
    /// [`unread`](Self::unread).
    pub fn add(&mut self, reply: Result<Reply, Error>, top_k: usize) -> Result<(), Error> {
        self.add_with_prior(reply, 0.0, top_k)
    }

    /// As [`add`](Self::add), where something is known of the document before it is read, such as how well a search found
    /// it: `prior` is added to the margins of its answers when they are ranked.
    ///
    /// # Errors
    /// As of `add`.
    pub fn add_with_prior(
        &mut self,
        reply: Result<Reply, Error>,
        prior: f32,
        top_k: usize,
    ) -> Result<(), Error> {
        let document = self.documents;
        self.documents += 1;
        match reply {
            Ok(reply) => self.insert(document, reply, prior, top_k),
            Err(error @ Error::Engine(engine::Error::EmptyPassage | engine::Error::TextTooLong)) => {
                self.unread.push((document, error));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn insert(&mut self, document: usize, reply: Reply, prior: f32, top_k: usize) {
        self.windows += reply.windows;
        // A damaged model's null difference may be no number; that shows, and is not passed over.
        if reply.null_diff < self.null_diff || reply.null_diff.is_nan() {
            self.null_diff = reply.null_diff;
        }
        let [null_start, null_end] = reply.null_logits;
        for answer in reply.answers {
            let margin = answer.start_logit + answer.end_logit - (null_start + null_end);
            let rank = margin + prior;
            // Behind its equals, which come earlier.
            let before = |other: &RankedAnswer| (other.margin + other.prior).total_cmp(&rank).is_ge();
            let at = self.answers.partition_point(before);
            if at < top_k {
                self.answers.insert(at, RankedAnswer { document, margin, prior, answer });
                self.answers.truncate(top_k);
            }
        }
    }
}
