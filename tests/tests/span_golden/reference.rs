//! `postprocess_qa_predictions`, read line by line and written with sorts over whole lists: per window the `n_best`
//! highest starts and ends by `np.argsort`, their valid pairs, all windows' pairs sorted by score, the first `n_best`
//! kept, softmax over these. Where NumPy and Python leave equal values in the order of an unspecified or of a stable
//! sort, it takes the engine's documented total order (`blockspan_engine::span`).
//!
//! [`Rules::Engine`] adds what the engine documents to do in another way, as simply as it can be written.

use core::cmp::Ordering;
use std::collections::HashSet;

/// The logits of a window, and for each position its bytes in the passage or `None` (question, special tokens), as
/// `run_qa.py` has them in `offset_mapping`.
#[derive(Clone, Debug)]
pub struct Features {
    pub start_logits: Vec<f32>,
    pub end_logits: Vec<f32>,
    pub offset_mapping: Vec<Option<[u32; 2]>>,
}

/// A span, or with offsets `[0, 0]` the null answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub offsets: [u32; 2],
    pub score: f32,
    pub start_logit: f32,
    pub end_logit: f32,
}

const NULL: [u32; 2] = [0, 0];

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rules {
    /// `run_qa.py`, to the letter.
    RunQa,
    /// The `n_best` among the passage's positions, each span once, and the best span of all if no pair fits.
    Engine,
}

/// What comes of one example.
pub struct Postprocessed {
    /// The n best, best first, without the null answer.
    pub spans: Vec<Prediction>,
    /// The probability of each.
    pub probabilities: Vec<f64>,
    pub null_score: f32,
    /// The predicted span; `None` for the empty prediction.
    pub prediction: Option<[u32; 2]>,
}

/// `null_threshold` is that of `--version_2_with_negative`, `None` without that flag.
pub fn postprocess(
    rules: Rules,
    features: &[Features],
    n_best: usize,
    max_answer_len: usize,
    null_threshold: Option<f32>,
) -> Postprocessed {
    let mut min_null_prediction =
        Prediction { offsets: NULL, score: f32::INFINITY, start_logit: 0.0, end_logit: 0.0 };
    let mut prelim_predictions = Vec::new();
    for feature in features {
        let (start_logit, end_logit) = (feature.start_logits[0], feature.end_logits[0]);
        if min_null_prediction.score > start_logit + end_logit {
            min_null_prediction =
                Prediction { offsets: NULL, score: start_logit + end_logit, start_logit, end_logit };
        }
        prelim_predictions.extend(pairs(rules, feature, n_best, max_answer_len));
    }
    if rules == Rules::Engine && prelim_predictions.is_empty() {
        let all = features.iter().flat_map(|feature| pairs(rules, feature, usize::MAX, max_answer_len));
        prelim_predictions.extend(all);
        sort(&mut prelim_predictions);
        prelim_predictions.truncate(1);
    }
    let null_score = min_null_prediction.score;
    if null_threshold.is_some() {
        prelim_predictions.push(min_null_prediction);
    }
    // Appended last and sorted stably, the null answer comes after spans with its score.
    sort(&mut prelim_predictions);
    if rules == Rules::Engine {
        let mut seen = HashSet::new();
        prelim_predictions.retain(|prediction| seen.insert(prediction.offsets));
    }
    let best_span = prelim_predictions.iter().copied().find(|prediction| !is_null(prediction));
    let mut predictions = prelim_predictions;
    predictions.truncate(n_best);
    if null_threshold.is_some() && !predictions.iter().any(is_null) {
        predictions.push(min_null_prediction);
    }
    // Here run_qa.py invents a prediction, "empty" with a score of 0. The engine gives the best span that was cut off
    // for the null answer (n_best is 1 then), or none if there is none.
    if predictions.iter().all(is_null) {
        predictions.extend(best_span);
    }
    let top = predictions.iter().map(|p| f64::from(p.score)).fold(f64::NEG_INFINITY, f64::max);
    let exp_sum: f64 = predictions.iter().map(|p| (f64::from(p.score) - top).exp()).sum();
    let spans: Vec<Prediction> = predictions.into_iter().filter(|prediction| !is_null(prediction)).collect();
    let probabilities = spans.iter().map(|p| (f64::from(p.score) - top).exp() / exp_sum).collect();
    let prediction = best_span.filter(|best| {
        let score_diff = null_score - best.score;
        null_threshold.is_none_or(|threshold| score_diff <= threshold)
    });
    Postprocessed { spans, probabilities, null_score, prediction: prediction.map(|best| best.offsets) }
}

fn is_null(prediction: &Prediction) -> bool {
    prediction.offsets == NULL
}

/// Best first.
fn sort(predictions: &mut [Prediction]) {
    predictions.sort_by(|a, b| {
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        by_score.then(is_null(a).cmp(&is_null(b))).then(a.offsets.cmp(&b.offsets))
    });
}

/// The spans of a window.
fn pairs(rules: Rules, feature: &Features, n_best: usize, max_answer_len: usize) -> Vec<Prediction> {
    let offset_mapping = &feature.offset_mapping;
    let indexes = |logits| {
        let mut indexes = argsort(logits);
        if rules == Rules::Engine {
            indexes.retain(|&index| offset_mapping[index].is_some());
        }
        indexes.truncate(n_best);
        indexes
    };
    let mut pairs = Vec::new();
    for start_index in indexes(&feature.start_logits) {
        for end_index in indexes(&feature.end_logits) {
            let (Some(start), Some(end)) = (offset_mapping[start_index], offset_mapping[end_index]) else {
                continue;
            };
            if end_index < start_index || end_index - start_index + 1 > max_answer_len {
                continue;
            }
            let (start_logit, end_logit) = (feature.start_logits[start_index], feature.end_logits[end_index]);
            let score = start_logit + end_logit;
            pairs.push(Prediction { offsets: [start[0], end[1]], score, start_logit, end_logit });
        }
    }
    pairs
}

/// `np.argsort(logits)[::-1]`, of equal logits the earlier first.
fn argsort(logits: &[f32]) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..logits.len()).collect();
    indexes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    indexes
}
