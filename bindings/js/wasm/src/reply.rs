//! Answers as the host reads them.

use core::cell::Cell;

use blockspan_engine::span::MAX_N_BEST;
use blockspan_engine::{Answer, Outcome};

use crate::single::Single;

/// An answer: a span of the passage.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// First UTF-16 code unit in the passage.
    pub start: usize,
    /// One past the last code unit.
    pub end: usize,
    /// Probability among the spans kept.
    pub score: f32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

/// What came of a question.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// How many answers there are.
    pub answers: usize,
    /// Windows that the passage took.
    pub windows: usize,
    /// Null score minus the best span's score.
    pub null_diff: f32,
    /// The answers, best first, then anything.
    pub found: [Found; MAX_N_BEST],
}

const NOTHING: Found = Found { start: 0, end: 0, score: 0.0, start_logit: 0.0, end_logit: 0.0 };
static REPLY: Single<Cell<Reply>> =
    Single::new(Cell::new(Reply { answers: 0, windows: 0, null_diff: 0.0, found: [NOTHING; MAX_N_BEST] }));

/// Writes what came of a question, with the places in `passage` counted in UTF-16 code units.
pub(crate) fn write(passage: &[u8], outcome: &Outcome, answers: &[Answer]) {
    let mut found = [NOTHING; MAX_N_BEST];
    for (found, answer) in found.iter_mut().zip(answers.iter().take(outcome.answers)) {
        let start = utf16_len(passage, 0, answer.start);
        *found = Found {
            start,
            end: start.saturating_add(utf16_len(passage, answer.start, answer.end)),
            score: answer.score,
            start_logit: answer.start_logit,
            end_logit: answer.end_logit,
        };
    }
    REPLY.set(Reply {
        answers: outcome.answers,
        windows: outcome.windows,
        null_diff: outcome.null_diff,
        found,
    });
}

/// UTF-16 code units of `text[from..to]`, which is UTF-8: one for each character, and one more for each of four
/// bytes.
fn utf16_len(text: &[u8], from: usize, to: usize) -> usize {
    let bytes = text.get(from..to).unwrap_or_default();
    let begins = bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    begins.saturating_add(bytes.iter().filter(|&&byte| byte >= 0xf0).count())
}

/// Where it stands.
#[unsafe(no_mangle)]
pub extern "C" fn reply() -> *const Reply {
    REPLY.as_ptr()
}
