//! From questions to windows of tokens, with the semantics of transformers' `run_qa.py`.

use core::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use blockspan_squad::{Dataset, Question};

use crate::config::Config;
use crate::tokenizer::{Tokenizer, Tokens};

/// How long windows are and how far they overlap, in tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowOptions {
    /// The longest window, with its three special tokens.
    pub max_seq_len: usize,
    /// How many passage tokens two neighboring windows share.
    pub doc_stride: usize,
}

impl WindowOptions {
    /// Those asked for; in place of what is not, the model's own, which are cut down to its positions. Windows shorter
    /// than its own share at most a third of themselves, unless asked for otherwise.
    pub fn or_own(
        max_seq_len: Option<usize>,
        doc_stride: Option<usize>,
        own: WindowOptions,
        positions: usize,
    ) -> Self {
        let max_seq_len = max_seq_len.unwrap_or(own.max_seq_len.min(positions));
        let shorter = max_seq_len < own.max_seq_len;
        let default = if shorter { own.doc_stride.min(max_seq_len / 3) } else { own.doc_stride };
        WindowOptions { max_seq_len, doc_stride: doc_stride.unwrap_or(default) }
    }

    /// Checks that a window can hold more of the passage than it shares with the one before.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_room(&self) -> Result<()> {
        ensure!(
            self.max_seq_len.checked_sub(4).is_some_and(|room| room > self.doc_stride),
            "--max-seq-len {} leaves windows that overlap by --doc-stride {} no room to advance; raise the \
             one or lower the other",
            self.max_seq_len,
            self.doc_stride
        );
        Ok(())
    }

    /// Checks that the network has a position for every token of a window.
    ///
    /// # Errors
    /// Windows longer than the network's positions.
    pub fn check(&self, config: &Config) -> Result<()> {
        ensure!(
            self.max_seq_len <= config.max_position_embeddings,
            "--max-seq-len {} exceeds the model's {} positions; lower it",
            self.max_seq_len,
            config.max_position_embeddings
        );
        Ok(())
    }
}

impl Default for WindowOptions {
    fn default() -> Self {
        WindowOptions { max_seq_len: 384, doc_stride: 128 }
    }
}

/// One window: `[CLS] question [SEP] part of the passage [SEP]`.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Index of the question in the data set's order.
    pub question: usize,
    /// Vocabulary ids of the whole window.
    pub input_ids: Vec<u32>,
    /// Positions in the window that hold passage tokens.
    pub passage: Range<usize>,
    /// The tokens of the whole passage, shared by its windows.
    pub tokens: Arc<Tokens>,
    /// Index in `tokens` of the window's first passage token.
    pub first: usize,
    /// Position of the answer's first and last token in the window; `(0, 0)`, which is `[CLS]`, when the
    /// window does not hold the whole answer.
    pub answer: (usize, usize),
}

impl Feature {
    /// 0 for `[CLS] question [SEP]`, 1 for the rest: the token type of a position.
    pub fn token_type(&self, position: usize) -> u32 {
        u32::from(position >= self.passage.start)
    }

    /// Vocabulary ids of the question.
    pub fn question_ids(&self) -> &[u32] {
        &self.input_ids[1..self.passage.start - 1]
    }

    /// Byte offsets of the window's passage tokens.
    pub fn offsets(&self) -> &[[u32; 2]] {
        &self.tokens.offsets[self.first..self.first + self.passage.len()]
    }
}

/// What the labels of the windows are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Labels {
    /// The first answer of each question labels its windows; a question without one is unanswerable.
    Train,
    /// Windows are not labelled.
    None,
}

/// The windows of all questions of a data set, in order.
///
/// # Errors
/// Options that leave no room for a passage, or, for training, a question without a usable answer.
pub fn features(
    dataset: &Dataset,
    tokenizer: &Tokenizer,
    options: WindowOptions,
    labels: Labels,
) -> Result<Vec<Feature>> {
    options.check_room()?;
    let mut all = Vec::new();
    let mut question_index = 0;
    for paragraph in &dataset.paragraphs {
        let tokens = Arc::new(tokenizer.tokens(&paragraph.context)?);
        for question in &paragraph.questions {
            let answer = match labels {
                Labels::Train => answer_bytes(&paragraph.context, question)?,
                Labels::None => None,
            };
            let question_ids = question_ids(tokenizer, &question.question, options)?;
            let special = (tokenizer.cls, tokenizer.sep);
            push_windows(&mut all, question_index, &question_ids, &tokens, answer, special, options);
            question_index += 1;
        }
    }
    Ok(all)
}

fn answer_bytes(context: &str, question: &Question) -> Result<Option<Range<usize>>> {
    let Some(answer) = question.answers.first().filter(|_| !question.is_unanswerable()) else {
        return Ok(None);
    };
    let range = answer
        .byte_range(context)
        .with_context(|| format!("question {}: the context does not hold its answer", question.id))?;
    Ok(Some(range))
}

/// The question's ids. A question so long that a window could not advance is cut (`run_qa.py` fails).
fn question_ids(tokenizer: &Tokenizer, question: &str, options: WindowOptions) -> Result<Vec<u32>> {
    let mut ids = tokenizer.tokens(question.trim_start())?.ids;
    ids.truncate(options.max_seq_len - options.doc_stride - 4);
    Ok(ids)
}

fn push_windows(
    all: &mut Vec<Feature>,
    question: usize,
    question_ids: &[u32],
    tokens: &Arc<Tokens>,
    answer: Option<Range<usize>>,
    (cls, sep): (u32, u32),
    options: WindowOptions,
) {
    let room = options.max_seq_len - question_ids.len() - 3;
    let passage_start = question_ids.len() + 2;
    for part in windows(tokens.ids.len(), room, options.doc_stride) {
        let mut input_ids = Vec::with_capacity(passage_start + part.len() + 1);
        input_ids.push(cls);
        input_ids.extend_from_slice(question_ids);
        input_ids.push(sep);
        input_ids.extend_from_slice(&tokens.ids[part.clone()]);
        input_ids.push(sep);
        let span = answer.clone().and_then(|bytes| answer_span(&tokens.offsets[part.clone()], bytes));
        all.push(Feature {
            question,
            input_ids,
            passage: passage_start..passage_start + part.len(),
            tokens: Arc::clone(tokens),
            first: part.start,
            answer: span.map_or((0, 0), |(start, end)| (passage_start + start, passage_start + end)),
        });
    }
}

/// The windows of a question, given by its ids, over a passage that does not answer it; at least one. `special` are the
/// ids of `[CLS]` and `[SEP]`.
pub fn windows_without_answer(
    question: usize,
    question_ids: &[u32],
    tokens: &Arc<Tokens>,
    special: (u32, u32),
    options: WindowOptions,
) -> Vec<Feature> {
    let mut all = Vec::new();
    push_windows(&mut all, question, question_ids, tokens, None, special, options);
    all
}

/// Cuts `tokens` into parts of at most `room` that overlap by `stride`; the last reaches the end. There
/// is always one, be it empty.
fn windows(tokens: usize, room: usize, stride: usize) -> impl Iterator<Item = Range<usize>> {
    let step = room - stride;
    let last = tokens.saturating_sub(room).div_ceil(step);
    (0..=last).map(move |index| index * step..(index * step + room).min(tokens))
}

/// The first and last token that cover the bytes, or nothing when the part does not hold them all.
fn answer_span(offsets: &[[u32; 2]], bytes: Range<usize>) -> Option<(usize, usize)> {
    let (start, end) = (bytes.start as u32, bytes.end as u32);
    let (first, last) = (offsets.first()?, offsets.last()?);
    if first[0] > start || last[1] < end {
        return None;
    }
    let first_token = offsets.iter().rposition(|offset| offset[0] <= start)?;
    let last_token = offsets.iter().position(|offset| offset[1] >= end)?;
    Some((first_token, last_token))
}

#[cfg(test)]
mod tests {
    use super::{WindowOptions, answer_span, windows};

    #[test]
    fn shorter_windows_share_at_most_a_third() {
        let own = WindowOptions { max_seq_len: 384, doc_stride: 128 };
        let windows = |max_seq_len, doc_stride| {
            let windows = WindowOptions::or_own(max_seq_len, doc_stride, own, 512);
            (windows.max_seq_len, windows.doc_stride)
        };
        assert_eq!(windows(None, None), (384, 128));
        assert_eq!(windows(Some(128), None), (128, 42));
        assert_eq!(windows(Some(512), None), (512, 128));
        assert_eq!(windows(Some(128), Some(100)), (128, 100));
        assert_eq!(windows(None, Some(5)), (384, 5));
        // A model of few positions.
        assert_eq!(
            WindowOptions::or_own(None, None, own, 64),
            WindowOptions { max_seq_len: 64, doc_stride: 21 }
        );
    }

    #[test]
    fn windows_overlap_by_the_stride_and_reach_the_end() {
        let cut = |tokens, room, stride| {
            windows(tokens, room, stride).map(|part| (part.start, part.end)).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 10, 3), [(0, 0)]);
        assert_eq!(cut(10, 10, 3), [(0, 10)]);
        assert_eq!(cut(11, 10, 3), [(0, 10), (7, 11)]);
        assert_eq!(cut(17, 10, 3), [(0, 10), (7, 17)]);
        assert_eq!(cut(18, 10, 3), [(0, 10), (7, 17), (14, 18)]);
        assert_eq!(cut(3, 1, 0), [(0, 1), (1, 2), (2, 3)]);
    }

    #[test]
    fn an_answer_is_covered_by_whole_tokens() {
        // "the cat, sat": a comma clings to the answer, and "sat" is answered in part.
        let offsets = [[0, 3], [4, 7], [7, 8], [9, 12]];
        assert_eq!(answer_span(&offsets, 4..7), Some((1, 1)));
        assert_eq!(answer_span(&offsets, 4..8), Some((1, 2)));
        assert_eq!(answer_span(&offsets, 5..10), Some((1, 3)));
        assert_eq!(answer_span(&offsets[1..], 0..7), None, "begins before the window");
        assert_eq!(answer_span(&offsets[..3], 4..12), None, "ends after the window");
        assert_eq!(answer_span(&[], 0..1), None);
    }
}
