//! From logits to answers, as `postprocess_qa_predictions` of `run_qa.py` does it.

use std::collections::BTreeMap;

use blockspan_engine::span::{Candidate, SpanPool, Window};
use blockspan_squad::{Dataset, NullLogits, Prediction, Span};

use super::logits::Logits;
use super::options::EvaluateOptions;
use crate::features::Feature;

/// The answer to each question, from the logits of its windows.
pub fn predictions(
    dataset: &Dataset,
    windows: &[Feature],
    logits: &[Logits],
    options: EvaluateOptions,
) -> Vec<Prediction> {
    let null_threshold = options.null_threshold_for(dataset);
    let mut by_question: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, window) in windows.iter().enumerate() {
        by_question.entry(window.question).or_default().push(index);
    }
    let mut best = vec![Candidate::default(); options.n_best.max(1)];
    let mut all = Vec::new();
    for (index, (paragraph, question)) in dataset.questions().enumerate() {
        let mut pool = SpanPool::new(&mut best, options.n_best, options.max_answer_len);
        let mut seen = false;
        for &window in by_question.get(&index).into_iter().flatten() {
            let Logits { start, end } = &logits[window];
            pool.add_window(&Window {
                start_logits: start,
                end_logits: end,
                passage: windows[window].passage.clone(),
                offsets: windows[window].offsets(),
            });
            seen = true;
        }
        let span = |span: &Candidate| Span {
            start_logit: span.start_logit,
            end_logit: span.end_logit,
            text: paragraph.context.get(span.start as usize..span.end as usize).unwrap_or_default(),
        };
        let spans: Vec<Span<'_>> = pool.candidates().iter().map(span).collect();
        let [start, end] = pool.null_logits();
        let null = null_threshold.filter(|_| seen).map(|threshold| (NullLogits { start, end }, threshold));
        all.push(Prediction::new(&question.id, &spans, options.n_best, null));
    }
    all
}

/// The texts, by question id.
pub fn texts(predicted: &[Prediction]) -> BTreeMap<String, String> {
    predicted.iter().map(|question| (question.id.clone(), question.text.clone())).collect()
}
