//! What every command that answers says of a question that has no answer.

use anyhow::{Result, anyhow, bail};
use blockspan_reader::{Error, Ranking, Reply, engine};

/// Of a model that is damaged, or was never any good.
const OVERFLOW: &str = "the numbers of the model overflow; pack it again from a checkpoint that `blockspan-trainer \
                        evaluate` answers with";

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
pub fn check_numbers(reply: &Reply, null_threshold: f32) -> Result<()> {
    let withheld = reply.null_diff > null_threshold;
    if reply.null_diff.is_finite() && (withheld || !reply.answers.is_empty()) {
        return Ok(());
    }
    bail!(OVERFLOW)
}

/// As [`check_numbers`], for several documents.
pub fn check_ranking(ranking: &Ranking) -> Result<()> {
    if ranking.null_diff.is_finite() || ranking.unread.len() == ranking.documents {
        return Ok(());
    }
    bail!(OVERFLOW)
}
