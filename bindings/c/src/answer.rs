//! Questions and answers.

use core::ffi::c_char;
use std::sync::TryLockError;

use blockspan_engine::span::MAX_N_BEST;

use crate::call::run;
use crate::failure::Failure;
use crate::pointers;
use crate::session::Session;
use crate::status::{ErrorMessage, Status};

/// For `doc_stride`: as many tokens as the model was packed for (a third of the window at most, if the session's is
/// shorter than the model's).
pub const DOC_STRIDE_OF_MODEL: usize = usize::MAX;

/// How to answer. Start from blockspan_options_default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The longest answer, in tokens; at least 1.
    pub max_answer_len: usize,
    /// Starts and ends examined per window, and spans kept over all windows; 1 to 64.
    pub n_best: usize,
    /// Tokens that neighboring windows of a long passage share.
    pub doc_stride: usize,
    /// A longer question is cut to its first so many tokens; at least 1.
    pub max_query_length: usize,
    /// No answer is written where blockspan_outcome.null_diff is above it, and "no answer" shares in the score.
    /// INFINITY: every question has an answer. blockspan_model_null_threshold has what the model's file recommends;
    /// without that, 0 is a good start for a model that was trained with unanswerable questions.
    pub null_threshold: f32,
}

/// The defaults: answers of up to 30 tokens, n_best 20, the model's own doc_stride, no limit to the question
/// (max_query_length SIZE_MAX) and none to null_diff (null_threshold INFINITY).
#[unsafe(no_mangle)]
pub extern "C" fn blockspan_options_default() -> Options {
    let engine = blockspan_engine::AnswerOptions::default();
    Options {
        max_answer_len: engine.max_answer_len,
        n_best: engine.n_best,
        doc_stride: engine.doc_stride.unwrap_or(DOC_STRIDE_OF_MODEL),
        max_query_length: engine.max_query_length,
        null_threshold: engine.null_threshold,
    }
}

impl Options {
    /// The engine's; it checks them.
    fn resolve(options: Option<&Self>, session: &Session) -> blockspan_engine::AnswerOptions {
        let options = options.copied().unwrap_or_else(|| blockspan_options_default());
        blockspan_engine::AnswerOptions {
            max_answer_len: options.max_answer_len,
            n_best: options.n_best,
            max_query_length: options.max_query_length,
            null_threshold: options.null_threshold,
            doc_stride: Some(match options.doc_stride {
                DOC_STRIDE_OF_MODEL => session.doc_stride,
                tokens => tokens,
            }),
        }
    }
}

/// An answer: a span of the passage.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer {
    /// First byte in the passage.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// First character (Unicode scalar value) in the passage.
    pub start_char: usize,
    /// One past the last character.
    pub end_char: usize,
    /// Probability among the n_best spans, "no answer" one of them if null_threshold is finite.
    pub score: f32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

/// What came of a question, besides the answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// How many answers were written, best first; 0 if no span fits the limits or null_diff is above null_threshold.
    pub answers: usize,
    /// Windows that the passage took.
    pub windows: usize,
    /// Null score minus the best span's start_logit + end_logit: the higher, the likelier that the passage does
    /// not hold the answer. If no span fits the limits, the null score.
    pub null_diff: f32,
}

/// Answers a question from a passage of any length; writes at most `capacity` answers (top_k), best first. Allocates
/// nothing. Texts are UTF-8 and need no zero at the end. `options` may be NULL for the defaults, `outcome` too if only
/// the answers matter (then those that were not written have `end` 0).
///
/// # Safety
/// `session` is NULL or from this library and not freed; `question` and `passage` are NULL or point to as many
/// bytes as their lengths say; `answers` is NULL or points to room for `capacity` answers; `options` is NULL or
/// readable; `outcome` and `error` are NULL or writable; what is written to overlaps nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blockspan_session_answer(
    session: *const Session,
    question: *const c_char,
    question_len: usize,
    passage: *const c_char,
    passage_len: usize,
    options: *const Options,
    answers: *mut Answer,
    capacity: usize,
    outcome: *mut Outcome,
    error: *mut ErrorMessage,
) -> Status {
    let body = || {
        // SAFETY: the caller's promises, pointer by pointer.
        let (session, question, passage, options) = unsafe {
            (
                pointers::get(session, "session")?,
                pointers::slice(question.cast(), question_len, "question")?,
                pointers::slice(passage.cast(), passage_len, "passage")?,
                pointers::optional(options, "options")?,
            )
        };
        // Before anything is computed for them.
        pointers::check_results(answers, capacity, "answers")?;
        pointers::check_optional(outcome, "outcome")?;
        let options = Options::resolve(options, session);
        let mut engine = session.engine.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::Busy,
            TryLockError::Poisoned(_) => Failure::Panic,
        })?;
        let mut found = [blockspan_engine::Answer::default(); MAX_N_BEST];
        let room = found.get_mut(..capacity.min(MAX_N_BEST)).unwrap_or_default();
        let result = engine.answer_bytes(question, passage, &options, room)?;
        let written = found.iter().take(result.answers).map(|answer| Answer {
            start: answer.start,
            end: answer.end,
            start_char: answer.start_char,
            end_char: answer.end_char,
            score: answer.score,
            start_logit: answer.start_logit,
            end_logit: answer.end_logit,
        });
        let rest = core::iter::repeat_n(Answer::default(), capacity.saturating_sub(result.answers));
        // SAFETY: the caller's promise for `answers`.
        unsafe { pointers::write_all(answers, capacity, "answers", written.chain(rest)) }?;
        if outcome.is_null() {
            return Ok(());
        }
        let result =
            Outcome { answers: result.answers, windows: result.windows, null_diff: result.null_diff };
        // SAFETY: the caller's promise for `outcome`.
        unsafe { pointers::write(outcome, "outcome", result) }
    };
    // SAFETY: the caller's promise for `error`.
    unsafe { run(error, body) }
}
