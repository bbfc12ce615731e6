//! What a caller asks for and what it gets.

use blockspan_kernels::math;

use crate::error::Error;
use crate::span::{Candidate, MAX_N_BEST, SpanPool};

/// How to answer. The defaults are those of `run_qa.py`; how many answers there are at most (its `top_k`) is the
/// length of the slice that they are written to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerOptions {
    /// The longest answer, in tokens; at least 1.
    pub max_answer_len: usize,
    /// Starts and ends examined per window, and spans kept over all windows: 1 to [`MAX_N_BEST`]. The score is a
    /// softmax over the spans kept.
    pub n_best: usize,
    /// Answers are withheld where [`Outcome::null_diff`] is above it, and "no answer" shares in their score
    /// (`run_qa.py --version_2_with_negative --null_score_diff_threshold`); higher withholds less.
    /// [`AnswerOptions::for_model`] takes the one that the model's file recommends; without one, 0 is a good start for a
    /// model that was trained with unanswerable questions. Infinite, the default: every question has an answer, as in
    /// SQuAD v1.1.
    pub null_threshold: f32,
    /// A longer question is cut to its first so many tokens, at least 1. `usize::MAX`, the default, cuts nothing; a question
    /// that leaves no room for the passage is then an error.
    pub max_query_length: usize,
    /// Tokens that neighboring windows of a long passage share; `None` for
    /// [`crate::format::Config::doc_stride_for`] the window.
    pub doc_stride: Option<usize>,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self {
            max_answer_len: 30,
            n_best: 20,
            null_threshold: f32::INFINITY,
            max_query_length: usize::MAX,
            doc_stride: None,
        }
    }
}

impl AnswerOptions {
    /// Whether each field is in its range; [`crate::Session::answer`] asks first of all.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the first field that is not. (A `doc_stride` that leaves no room for the question
    /// is an [`Error::QuestionTooLong`] of `answer`.)
    pub fn check(&self) -> Result<(), Error> {
        const { assert!(MAX_N_BEST == 64) };
        let refusal = if self.max_answer_len == 0 {
            ("max_answer_len", "at least 1")
        } else if !(1..=MAX_N_BEST).contains(&self.n_best) {
            ("n_best", "1 to 64")
        } else if self.max_query_length == 0 {
            ("max_query_length", "at least 1")
        } else if self.null_threshold.is_nan() {
            ("null_threshold", "a number")
        } else {
            return Ok(());
        };
        Err(Error::InvalidOption { name: refusal.0, allowed: refusal.1 })
    }
}

/// An answer: a span of the passage.
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
    /// Probability among the `n_best` different spans kept: the softmax of their `start_logit + end_logit`. With a finite
    /// [`AnswerOptions::null_threshold`] "no answer" is one more of them, with the null score.
    pub score: f32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

/// What came of a question, besides the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many answers were written, best first, each span once; 0 if there is room for none, if the null answer
    /// wins, or if the logits are not numbers.
    pub answers: usize,
    /// Null score (`start_logit + end_logit` at `[CLS]`, the least over the windows) minus the best span's
    /// `start_logit + end_logit`: the higher, the likelier that the passage does not hold the answer. Without
    /// any span, the null score itself, as in `run_qa.py`.
    pub null_diff: f32,
    /// The two logits at `[CLS]`, start and end, that make the null score.
    pub null_logits: [f32; 2],
    /// Windows that the passage took.
    pub windows: usize,
}

impl Outcome {
    /// The pool's spans as answers, with character offsets and probabilities: at most `answers.len()` of them are
    /// written, best first. `passage` is the text that the spans lie in, `windows` how many the pool was given.
    pub fn new(
        passage: &str,
        pool: &SpanPool<'_>,
        windows: usize,
        options: &AnswerOptions,
        answers: &mut [Answer],
    ) -> Self {
        let (spans, null_score) = (pool.candidates(), pool.null_score());
        let best = spans.first().map_or(0.0, Candidate::score);
        let null_logits = pool.null_logits();
        let mut outcome = Self { answers: 0, null_diff: null_score - best, null_logits, windows };
        if outcome.null_diff > options.null_threshold {
            return outcome;
        }
        // As `run_qa.py` does: the null answer is one of the n best, and stays in the softmax if it is not.
        let null_possible = options.null_threshold < f32::INFINITY;
        let spans = match spans.split_last() {
            Some((worst, others))
                if null_possible
                    && !others.is_empty()
                    && spans.len() >= options.n_best
                    && null_score > worst.score() =>
            {
                others
            }
            _ => spans,
        };
        let top = if null_possible { best.max(null_score) } else { best };
        let null = if null_possible { math::exp(null_score - top) } else { 0.0 };
        let total = spans.iter().fold(null, |total, span| total + math::exp(span.score() - top));
        for (answer, span) in answers.iter_mut().zip(spans) {
            let (start, end) = (span.start as usize, span.end as usize);
            let start_char = characters(passage, 0, start);
            *answer = Answer {
                start,
                end,
                start_char,
                end_char: start_char + characters(passage, start, end),
                score: math::exp(span.score() - top) / total,
                start_logit: span.start_logit,
                end_logit: span.end_logit,
            };
            outcome.answers += 1;
        }
        outcome
    }
}

/// Characters of `text[from..to]`: bytes that do not continue a character.
fn characters(text: &str, from: usize, to: usize) -> usize {
    text.as_bytes().get(from..to).unwrap_or(&[]).iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}
