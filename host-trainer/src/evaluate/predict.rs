//! From logits to answers, as `postprocess_qa_predictions` of `run_qa.py` does it.

use std::collections::BTreeMap;

use blockspan_engine::span::{Candidate, SpanPool, Window};
use blockspan_squad::{Dataset, Paragraph};
use serde::Serialize;

use super::{EvaluateOptions, Logits};
use crate::features::Feature;

/// What `run_qa.py` answers where no span can be formed.
const NO_SPAN: &str = "empty";

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// The question's id.
    pub id: String,
    /// The answer; empty where the null answer wins.
    pub text: String,
    /// The best answer that is not empty.
    pub best: String,
    /// How far the null answer is ahead of [`best`](Self::best), where questions may have no answer.
    pub null_odds: Option<f64>,
    /// The n best, best first; the null answer is among them where questions may have no answer.
    pub n_best: Vec<NBest>,
}

/// One of the n best answers, in the order of keys that `run_qa.py` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NBest {
    /// Logit of its first token.
    pub start_logit: f64,
    /// Logit of its last token.
    pub end_logit: f64,
    /// Its text; empty for the null answer.
    pub text: String,
    /// Its share among the n best.
    pub probability: f64,
}

/// The answer to each question, from the logits of its windows.
pub fn predictions(
    dataset: &Dataset,
    windows: &[Feature],
    logits: &[Logits],
    options: EvaluateOptions,
) -> Vec<Predicted> {
    let null_allowed = dataset.questions().any(|(_, question)| question.is_impossible);
    let mut by_question: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, window) in windows.iter().enumerate() {
        by_question.entry(window.question).or_default().push(index);
    }
    let mut best = vec![Candidate::default(); options.n_best.max(1)];
    let mut all = Vec::new();
    for (index, (paragraph, question)) in dataset.questions().enumerate() {
        let mut pool = SpanPool::new(&mut best, options.n_best, options.max_answer_len);
        let mut null: Option<Candidate> = None;
        for &window in by_question.get(&index).into_iter().flatten() {
            let Logits { start, end } = &logits[window];
            pool.add_window(&Window {
                start_logits: start,
                end_logits: end,
                passage: windows[window].passage.clone(),
                offsets: windows[window].offsets(),
            });
            if let (Some(&start_logit), Some(&end_logit)) = (start.first(), end.first()) {
                let candidate = Candidate { start: 0, end: 0, start_logit, end_logit };
                if null.is_none_or(|null| candidate.score() < null.score()) {
                    null = Some(candidate);
                }
            }
        }
        let spans = n_best(pool.candidates(), null.filter(|_| null_allowed), options.n_best);
        all.push(predicted(question.id.clone(), paragraph, &spans, null.filter(|_| null_allowed), options));
    }
    all
}

/// The texts, by question id.
pub fn texts(predicted: &[Predicted]) -> BTreeMap<String, String> {
    predicted.iter().map(|question| (question.id.clone(), question.text.clone())).collect()
}

/// Spans and the null answer, best first: at most `count`, and the null answer as one more if it is not among them.
fn n_best(spans: &[Candidate], null: Option<Candidate>, count: usize) -> Vec<Candidate> {
    let mut all = spans.to_vec();
    if let Some(null) = null {
        let at = all.partition_point(|span| span.score() >= null.score());
        all.insert(at, null);
        all.truncate(count);
        if at >= count {
            all.push(null);
        }
    }
    all
}

fn predicted(
    id: String,
    paragraph: &Paragraph,
    spans: &[Candidate],
    null: Option<Candidate>,
    options: EvaluateOptions,
) -> Predicted {
    let text = |span: &Candidate| {
        paragraph.context.get(span.start as usize..span.end as usize).unwrap_or_default().to_owned()
    };
    let mut scored: Vec<(Candidate, String)> = spans.iter().map(|span| (*span, text(span))).collect();
    if scored.iter().all(|(_, text)| text.is_empty()) {
        scored.insert(0, (Candidate::default(), NO_SPAN.to_owned()));
    }
    let most = scored.iter().map(|(span, _)| f64::from(span.score())).fold(f64::NEG_INFINITY, f64::max);
    let weight = |span: &Candidate| (f64::from(span.score()) - most).exp();
    let total: f64 = scored.iter().map(|(span, _)| weight(span)).sum();
    let (first, best) = scored
        .iter()
        .find(|(_, text)| !text.is_empty())
        .map_or((Candidate::default(), NO_SPAN.to_owned()), Clone::clone);
    // In the order in which `run_qa.py` subtracts, in f32.
    let null_odds = null.map(|null| f64::from(null.score() - first.start_logit - first.end_logit));
    let n_best = scored.iter().map(|(span, text)| NBest {
        start_logit: f64::from(span.start_logit),
        end_logit: f64::from(span.end_logit),
        text: text.clone(),
        probability: weight(span) / total,
    });
    let is_null = null_odds.is_some_and(|odds| odds > options.null_threshold);
    Predicted {
        id,
        text: if is_null { String::new() } else { best.clone() },
        null_odds,
        n_best: n_best.collect(),
        best,
    }
}
