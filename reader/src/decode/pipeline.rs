//! The rules of transformers' question-answering pipeline (`pipelines/question_answering.py`, version 5.2).

use core::cmp::Ordering;
use std::collections::HashMap;

use blockspan_engine::{Sequence, exp};

use crate::error::Error;
use crate::job::PipelineOptions;
use crate::queue::Entry;
use crate::reading::Reading;
use crate::reply::{Reply, Scored};

pub(crate) fn answer(
    reading: &mut Reading<'_, '_>,
    entry: &Entry,
    max_seq_len: usize,
    rules: &PipelineOptions,
) -> Result<Reply, Error> {
    let job = &entry.job;
    let vocabulary = reading.session.model().tokenizer().vocabulary();
    let continues = |id| vocabulary.token(id).is_some_and(|token| token.starts_with("##"));
    let mut spans = Spans::new(&job.passage, rules, job.options.top_k);
    let cutting = job.options.cutting(max_seq_len);
    let windows = reading.windows(entry, max_seq_len, &cutting, &mut |sequence, start, end| {
        spans.add_window(sequence, start, end, &continues);
    })?;
    Ok(spans.reply(windows))
}

/// The answers of the windows so far.
struct Spans<'a> {
    passage: &'a str,
    rules: &'a PipelineOptions,
    top_k: usize,
    found: Vec<Found>,
    /// Which of `found` has this text, in lower case.
    by_text: HashMap<String, usize>,
    /// The least P(start) · P(end) at `[CLS]` over the windows.
    null_probability: f32,
    null_logits: [f32; 2],
    /// The highest `start_logit + end_logit` of a span.
    best: Option<f32>,
}

/// Equal texts, as the first of them.
struct Found {
    span: Scored,
    /// Sum over the equal texts.
    probability: f64,
}

/// A span of a window: its first and last token, counted from the passage's first in the window.
#[derive(Clone, Copy)]
struct Candidate {
    first: usize,
    last: usize,
    probability: f32,
}

impl Candidate {
    /// Best first: higher probability, then lower start, then shorter.
    fn order(&self, other: &Self) -> Ordering {
        let descending = other.probability.total_cmp(&self.probability);
        descending.then((self.first, self.last).cmp(&(other.first, other.last)))
    }
}

impl<'a> Spans<'a> {
    fn new(passage: &'a str, rules: &'a PipelineOptions, top_k: usize) -> Self {
        Self {
            passage,
            rules,
            top_k,
            found: Vec::new(),
            by_text: HashMap::new(),
            null_probability: f32::INFINITY,
            null_logits: [f32::INFINITY; 2],
            best: None,
        }
    }

    /// Adds a window's best spans. `continues` says of a word piece whether it continues a word.
    fn add_window(
        &mut self,
        sequence: &Sequence<'_>,
        start_logits: &[f32],
        end_logits: &[f32],
        continues: &dyn Fn(u32) -> bool,
    ) {
        let of_passage = |logits| <[f32]>::get(logits, sequence.passage.clone()).unwrap_or_default();
        let (starts, ends) = (of_passage(start_logits), of_passage(end_logits));
        let (Some(&null_start), Some(&null_end)) = (start_logits.first(), end_logits.first()) else { return };
        if null_start + null_end < self.null_logits[0] + self.null_logits[1] {
            self.null_logits = [null_start, null_end];
        }
        let ((null_start, starts_p), (null_end, ends_p)) =
            (softmax(null_start, starts), softmax(null_end, ends));
        self.null_probability = self.null_probability.min(null_start * null_end);
        let count = if self.rules.align_to_words { 2 * self.top_k + 10 } else { self.top_k };
        for candidate in self.candidates(&starts_p, &ends_p, count) {
            let Candidate { first, last, probability } = candidate;
            let (from, to) = self.aligned(sequence, first, last, continues);
            let places = sequence.offsets.get(from).zip(sequence.offsets.get(to));
            let logits = starts.get(first).zip(ends.get(last));
            let (Some((&[start, _], &[_, end])), Some((&start_logit, &end_logit))) = (places, logits) else {
                continue;
            };
            let (start, end) = (start as usize, end as usize);
            self.best =
                Some(self.best.map_or(start_logit + end_logit, |best| best.max(start_logit + end_logit)));
            let text = self.passage.get(start..end).unwrap_or_default().to_lowercase();
            let next = self.found.len();
            let index = *self.by_text.entry(text).or_insert(next);
            if let Some(found) = self.found.get_mut(index) {
                found.probability += f64::from(probability);
            } else {
                let span = Scored { start, end, score: 0.0, start_logit, end_logit };
                self.found.push(Found { span, probability: f64::from(probability) });
            }
        }
    }

    /// The window's `count` best spans that are not too long, best first.
    fn candidates(&self, starts: &[f32], ends: &[f32], count: usize) -> Vec<Candidate> {
        let mut best: Vec<Candidate> = Vec::with_capacity(count + 1);
        for (first, &start) in starts.iter().enumerate() {
            for (last, &end) in ends.iter().enumerate().skip(first).take(self.rules.max_answer_len) {
                let candidate = Candidate { first, last, probability: start * end };
                let worse = |kept: &Candidate| kept.order(&candidate) == Ordering::Less;
                if candidate.probability.is_nan() || best.len() == count && best.last().is_some_and(worse) {
                    continue;
                }
                best.insert(best.partition_point(worse), candidate);
                best.truncate(count);
            }
        }
        best
    }

    /// The first and the last token of the words that the span touches, as far as they lie in the window.
    fn aligned(
        &self,
        sequence: &Sequence<'_>,
        mut first: usize,
        mut last: usize,
        continues: &dyn Fn(u32) -> bool,
    ) -> (usize, usize) {
        let tokens = sequence.ids.get(sequence.passage.clone()).unwrap_or_default();
        let inside = |token: usize| tokens.get(token).is_some_and(|&[id, _]| continues(id));
        if self.rules.align_to_words {
            while first > 0 && inside(first) {
                first -= 1;
            }
            while inside(last + 1) {
                last += 1;
            }
        }
        (first, last)
    }

    fn reply(self, windows: usize) -> Reply {
        let [null_start, null_end] = self.null_logits;
        let mut found = self.found;
        if self.rules.handle_impossible_answer && self.null_probability.is_finite() {
            let span = Scored { start: 0, end: 0, score: 0.0, start_logit: null_start, end_logit: null_end };
            found.push(Found { span, probability: f64::from(self.null_probability) });
        }
        // A stable sort: of equal scores, the one that was found first.
        found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        found.truncate(self.top_k);
        let scored = |found: Found| Scored { score: found.probability.min(1.0) as f32, ..found.span };
        let spans: Vec<Scored> = found.into_iter().map(scored).collect();
        Reply {
            answers: Scored::look_up(self.passage, &spans),
            null_diff: null_start + null_end - self.best.unwrap_or(0.0),
            null_logits: self.null_logits,
            windows,
        }
    }
}

/// The probabilities of `[CLS]` and of the passage's tokens, which share them. A logit that is not a number counts as
/// absent; its probability is none either.
fn softmax(null: f32, logits: &[f32]) -> (f32, Vec<f32>) {
    let most = logits.iter().fold(null, |most, &logit| most.max(logit));
    let weight = |logit: f32| if logit.is_nan() { f32::NAN } else { exp(logit - most) };
    let (null, mut weights) = (weight(null), logits.iter().map(|&logit| weight(logit)).collect::<Vec<_>>());
    let counted = weights.iter().filter(|weight| !weight.is_nan());
    let total = counted.fold(if null.is_nan() { 0.0 } else { null }, |total, weight| total + weight);
    weights.iter_mut().for_each(|weight| *weight /= total);
    (null / total, weights)
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
