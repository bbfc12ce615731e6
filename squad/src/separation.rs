//! How well null odds tell questions with an answer from those without.

use std::collections::BTreeMap;

use crate::metrics::{Scored, scored};
use crate::{Best, Dataset};

/// Figures over questions of both kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// Questions with an answer.
    pub with_answer: usize,
    /// Questions without one.
    pub without_answer: usize,
    /// Area under the receiver operating characteristic of the null odds: see [`auroc`]. Nothing where all questions
    /// are of one kind.
    pub auroc: Option<f64>,
    /// F1 over both kinds at `threshold`, in percent.
    pub f1: f64,
    /// Where that F1 was taken.
    pub threshold: f64,
    /// The best F1 over both kinds, with the threshold that gives it: one of the null odds, or a number below all.
    pub best_f1: Best,
}

/// Compares the best answers that are not empty, with how far the null answer is ahead of each. A question without null
/// odds keeps its answer at every threshold.
pub fn separation(
    dataset: &Dataset,
    answers: &BTreeMap<String, String>,
    null_odds: &BTreeMap<String, f64>,
    threshold: f64,
) -> Separation {
    let all = scored(dataset, answers);
    let odds_of = |question: &Scored<'_>| null_odds.get(question.id).copied();
    let of_kind = |has_answer: bool| -> Vec<f64> {
        all.iter().filter(|question| question.has_answer == has_answer).filter_map(odds_of).collect()
    };
    let mean = |sum: f64| if all.is_empty() { 0.0 } else { 100.0 * sum / all.len() as f64 };
    let silent = |question: &Scored<'_>| f64::from(u8::from(!question.has_answer));
    let at = |threshold: f64| -> f64 {
        let score = |question: &Scored<'_>| match odds_of(question) {
            Some(odds) if odds > threshold => silent(question),
            _ => question.score[1],
        };
        all.iter().map(score).sum()
    };

    let mut order: Vec<(f64, &Scored<'_>)> =
        all.iter().filter_map(|question| Some((odds_of(question)?, question))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The null odds are f32 numbers: the next one down is below them all in either width.
    let below = order.first().map_or(0.0, |(least, _)| f64::from((*least as f32).next_down()));
    let mut sum = at(f64::NEG_INFINITY);
    let mut best = (sum, below);
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        sum += equal.iter().map(|(_, question)| question.score[1] - silent(question)).sum::<f64>();
        // Rounding must not make a later threshold of the same score look better.
        if sum > best.0 + 1e-9 {
            best = (sum, equal[0].0);
        }
    }
    Separation {
        with_answer: all.iter().filter(|question| question.has_answer).count(),
        without_answer: all.iter().filter(|question| !question.has_answer).count(),
        auroc: auroc(&of_kind(true), &of_kind(false)),
        f1: mean(at(threshold)),
        threshold,
        best_f1: Best { score: mean(at(best.1)), threshold: best.1 },
    }
}

/// The probability that a random number of `higher` is above a random one of `lower`, equal ones counted half: the area
/// under the receiver operating characteristic (Mann and Whitney's U over the number of pairs). Nothing where either
/// is empty.
pub fn auroc(lower: &[f64], higher: &[f64]) -> Option<f64> {
    let mut all: Vec<(f64, bool)> =
        lower.iter().map(|&x| (x, false)).chain(higher.iter().map(|&x| (x, true))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut twice_u) = (0u128, 0u128);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let high = equal.iter().filter(|(_, is_higher)| *is_higher).count() as u128;
        let low = equal.len() as u128 - high;
        twice_u += high * (2 * below + low);
        below += low;
    }
    let pairs = lower.len() as u128 * higher.len() as u128;
    (pairs > 0).then(|| twice_u as f64 / (2 * pairs) as f64)
}
