//! What every command that answers says of a question that has no answer.

use core::fmt;

use anyhow::anyhow;
use blockspan_reader::{Error, Ranking, Reply, engine};

use crate::search::Found;

/// A model that is damaged, or was never any good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the numbers of the model overflow; pack it again from a checkpoint that `blockspan-trainer evaluate` \
             answers with",
        )
    }
}

impl core::error::Error for Overflow {}

/// The error with the options that help.
pub fn remedy(error: Error) -> anyhow::Error {
    match error {
        // Windows that overlap by all of their length leave no room for any question.
        Error::Engine(engine::Error::QuestionTooLong { tokens, most: 0 }) => anyhow!(
            "the question has {tokens} tokens, but none leave room for a passage; give a larger --max-seq-len or a \
             smaller --doc-stride"
        ),
        Error::Engine(engine::Error::QuestionTooLong { tokens, most }) => anyhow!(
            "the question has {tokens} tokens, but only {most} leave room for a passage; shorten it, or give \
             --max-query-length {most}, a larger --max-seq-len or a smaller --doc-stride"
        ),
        error => error.into(),
    }
}

/// Refuses what a damaged model replies. Any passage has a span whose score is a number, unless the logits are none.
pub fn check_numbers(reply: &Reply, null_threshold: f32) -> Result<(), Overflow> {
    let withheld = reply.null_diff > null_threshold;
    let numbers = reply.null_diff.is_finite() && (withheld || !reply.answers.is_empty());
    if numbers { Ok(()) } else { Err(Overflow) }
}

/// As [`check_numbers`], for the passages of an index.
pub fn check_found(found: &Found) -> Result<(), Overflow> {
    if found.null_diff.is_finite() || found.passages == 0 { Ok(()) } else { Err(Overflow) }
}

/// As [`check_numbers`], for several documents.
pub fn check_ranking(ranking: &Ranking) -> Result<(), Overflow> {
    let numbers = ranking.null_diff.is_finite() || ranking.unread.len() == ranking.documents;
    if numbers { Ok(()) } else { Err(Overflow) }
}
