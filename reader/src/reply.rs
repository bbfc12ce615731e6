//! What a reader replies.

use crate::offsets::{Position, positions};

/// An answer: a span of the passage, or the empty answer of [`crate::PipelineOptions::handle_impossible_answer`], whose
/// places are all 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The passage from `start` to `end`.
    pub text: String,
    /// First byte (UTF-8) in the passage.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// First character (Unicode scalar value, as Python counts) in the passage.
    pub start_char: usize,
    /// One past the last character.
    pub end_char: usize,
    /// First UTF-16 code unit (as JavaScript, Java and C# count) in the passage.
    pub start_utf16: usize,
    /// One past the last UTF-16 code unit.
    pub end_utf16: usize,
    /// A probability; [`crate::Decoding`] says of what.
    pub score: f32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

/// The answers to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Best first. None if the null answer wins ([`blockspan_engine::AnswerOptions::null_threshold`]), or if a damaged
    /// model gives no numbers.
    pub answers: Vec<Answer>,
    /// Null score (`start_logit + end_logit` at `[CLS]`, the least over the windows) minus the best span's
    /// `start_logit + end_logit`: the higher, the likelier that the passage does not hold the answer.
    pub null_diff: f32,
    /// The two logits at `[CLS]`, start and end, that make the null score.
    pub null_logits: [f32; 2],
    /// Windows that the passage took.
    pub windows: usize,
}

/// A span with its score, before its text and its places are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub start: usize,
    pub end: usize,
    pub score: f32,
    pub start_logit: f32,
    pub end_logit: f32,
}

impl Scored {
    /// The spans as answers.
    pub fn look_up(passage: &str, spans: &[Self]) -> Vec<Answer> {
        let bytes: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
        let places = positions(passage, &bytes);
        let pairs = places.iter().zip(places.iter().skip(1)).step_by(2);
        let answer = |(span, (start, end)): (&Self, (&Position, &Position))| Answer {
            text: passage.get(span.start..span.end).unwrap_or_default().to_owned(),
            start: span.start,
            end: span.end,
            start_char: start.char,
            end_char: end.char,
            start_utf16: start.utf16,
            end_utf16: end.utf16,
            score: span.score,
            start_logit: span.start_logit,
            end_logit: span.end_logit,
        };
        spans.iter().zip(pairs).map(answer).collect()
    }
}
