//! The rules of `run_qa.py`, as [`blockspan_engine::Session::answer`] has them.

use blockspan_engine::span::{Candidate, MAX_N_BEST, SpanPool};
use blockspan_engine::{AnswerOptions, Outcome};

use crate::error::Error;
use crate::queue::Entry;
use crate::reading::Reading;
use crate::reply::{Reply, Scored};

pub(crate) fn answer(
    reading: &mut Reading<'_, '_>,
    entry: &Entry,
    max_seq_len: usize,
    rules: &AnswerOptions,
) -> Result<Reply, Error> {
    let job = &entry.job;
    let mut best = [Candidate::default(); MAX_N_BEST];
    let kept = best.get_mut(..rules.n_best).unwrap_or_default();
    let mut pool = SpanPool::new(kept, rules.n_best, rules.max_answer_len);
    let windows = reading.windows(entry, max_seq_len, rules, &mut |sequence, start, end| {
        pool.add_window(&sequence.window(start, end));
    })?;
    let mut answers = [blockspan_engine::Answer::default(); MAX_N_BEST];
    let room = answers.get_mut(..job.options.top_k).unwrap_or_default();
    let outcome = Outcome::new(&job.passage, &pool, windows, rules, room);
    let scored = |answer: &blockspan_engine::Answer| Scored {
        start: answer.start,
        end: answer.end,
        score: answer.score,
        start_logit: answer.start_logit,
        end_logit: answer.end_logit,
    };
    let spans: Vec<Scored> = room.iter().take(outcome.answers).map(scored).collect();
    Ok(Reply {
        answers: Scored::look_up(&job.passage, &spans),
        null_diff: outcome.null_diff,
        null_logits: outcome.null_logits,
        windows,
    })
}
