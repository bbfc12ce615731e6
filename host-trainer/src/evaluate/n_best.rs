//! The n best spans of a question, to the letter of `run_qa.py`, where `blockspan_engine::span` departs from it: a span
//! of two windows counts twice, and tokens of the question take places among the best starts and ends.

use blockspan_engine::span::Candidate;

use super::logits::Logits;
use crate::features::Feature;

/// The spans of all windows, best first, and the logits of the null answer; `None` without a window.
pub(super) fn n_best<'a>(
    windows: impl Iterator<Item = (&'a Feature, &'a Logits)>,
    n_best: usize,
    max_answer_len: usize,
) -> Option<(Vec<Candidate>, [f32; 2])> {
    let mut null: Option<[f32; 2]> = None;
    let mut spans = Vec::new();
    for (window, logits) in windows {
        let [start, end] = [logits.start.first()?, logits.end.first()?];
        if null.is_none_or(|[least_start, least_end]| start + end < least_start + least_end) {
            null = Some([*start, *end]);
        }
        for first in highest(&logits.start, n_best) {
            for last in highest(&logits.end, n_best) {
                let inside = window.passage.contains(&first) && window.passage.contains(&last);
                if !inside || last < first || last - first >= max_answer_len {
                    continue;
                }
                let (offsets, from) = (window.offsets(), window.passage.start);
                let ([start, _], [_, end]) = (offsets[first - from], offsets[last - from]);
                let (start_logit, end_logit) = (logits.start[first], logits.end[last]);
                spans.push(Candidate { start, end, start_logit, end_logit });
            }
        }
    }
    // Equal scores as in the engine: lower start, then shorter.
    spans.sort_by(|a, b| b.score().total_cmp(&a.score()).then((a.start, a.end).cmp(&(b.start, b.end))));
    spans.truncate(n_best);
    null.map(|null| (spans, null))
}

/// The places of the `count` highest logits, of equal ones the first; what is not a number counts as absent.
fn highest(logits: &[f32], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..logits.len()).filter(|&place| !logits[place].is_nan()).collect();
    places.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    places.truncate(count);
    places
}
