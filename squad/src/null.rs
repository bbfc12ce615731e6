//! Scores where a question may have no answer, as `squad_evaluate` of transformers (after the official script of
//! SQuAD v2.0) counts them.

use std::collections::BTreeMap;

use crate::Dataset;
use crate::metrics::{Scored, Scores, scored};

/// Scores by kind of question, and the thresholds that would have been best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NullScores {
    /// Of all questions (`exact`, `f1`, `total`).
    pub all: Scores,
    /// Of those with an answer (`HasAns_…`), if there are any.
    pub has_answer: Option<Scores>,
    /// Of those without (`NoAns_…`), if there are any.
    pub no_answer: Option<Scores>,
    /// The best exact match that any threshold gives (`best_exact`, `best_exact_thresh`).
    pub best_exact: Best,
    /// The best F1 that any threshold gives (`best_f1`, `best_f1_thresh`).
    pub best_f1: Best,
}

/// A score, and the threshold that gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// In percent.
    pub score: f64,
    /// Questions whose null odds are above it count as answered by nothing.
    pub threshold: f64,
}

/// Scores the best answers that are not empty, given for each question how far the null answer is ahead of it: where
/// that is more than `threshold`, the prediction is empty. A question that is missing from either counts as wrong.
pub fn evaluate_null(
    dataset: &Dataset,
    answers: &BTreeMap<String, String>,
    null_odds: &BTreeMap<String, f64>,
    threshold: f64,
) -> NullScores {
    let raw = scored(dataset, answers);
    let at_threshold = |question: &Scored<'_>| match null_odds.get(question.id) {
        Some(&odds) if odds > threshold => [f64::from(u8::from(!question.has_answer)); 2],
        _ => question.score,
    };
    let mean = |wanted: &dyn Fn(bool) -> bool| {
        Scores::mean(raw.iter().filter(|question| wanted(question.has_answer)).map(at_threshold))
    };
    let part = |has_answer: bool| Some(mean(&|has| has == has_answer)).filter(|scores| scores.total > 0);
    let best = |measure: usize| best(&raw, answers, null_odds, measure);
    NullScores {
        all: mean(&|_| true),
        has_answer: part(true),
        no_answer: part(false),
        best_exact: best(0),
        best_f1: best(1),
    }
}

/// Goes through the questions from the least null odds to the largest: the more of them are answered, the more of
/// those with an answer count, and the fewer of those without. Among equal odds it goes in the order of the data set
/// and may stop between them, as `squad_evaluate` does.
fn best(
    raw: &[Scored<'_>],
    answers: &BTreeMap<String, String>,
    null_odds: &BTreeMap<String, f64>,
    measure: usize,
) -> Best {
    let mut order: Vec<(f64, &Scored<'_>)> =
        raw.iter().filter_map(|question| Some((*null_odds.get(question.id)?, question))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut score = raw.iter().filter(|question| !question.has_answer).count() as f64;
    let mut best = Best { score, threshold: 0.0 };
    for (odds, question) in order {
        score += if question.has_answer {
            question.score[measure]
        } else if answers.get(question.id).is_some_and(|text| !text.is_empty()) {
            -1.0
        } else {
            0.0
        };
        if score > best.score {
            best = Best { score, threshold: odds };
        }
    }
    Best { score: if raw.is_empty() { 0.0 } else { 100.0 * best.score / raw.len() as f64 }, ..best }
}
