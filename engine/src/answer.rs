//! What a caller asks for and what it gets.

/// How to answer. The defaults are those of `run_qa.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The longest answer, in tokens.
    pub max_answer_len: usize,
    /// Starts and ends examined per window, and spans kept over all windows (at most
    /// [`crate::span::MAX_N_BEST`]); the score is a softmax over the spans kept.
    pub n_best: usize,
    /// Tokens that neighbouring windows of a long passage share; `None` for
    /// [`crate::format::Config::doc_stride_for`] the window.
    pub doc_stride: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_answer_len: 30, n_best: 20, doc_stride: None }
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
    /// Probability among the `n_best` spans kept: the softmax of their `start_logit + end_logit`.
    pub score: f32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

/// What came of a question, besides the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many answers were written, best first.
    pub answers: usize,
    /// Null score minus the best answer's `start_logit + end_logit`: the higher, the likelier that the passage
    /// does not hold the answer. 0 without any answer.
    pub null_diff: f32,
    /// Windows that the passage took.
    pub windows: usize,
}
