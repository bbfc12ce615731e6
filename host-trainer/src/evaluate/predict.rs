//! From logits to answers, as `postprocess_qa_predictions` of `run_qa.py` does it.

use std::collections::BTreeMap;

use blockspan_engine::span::Candidate;
use blockspan_squad::{Dataset, NullLogits, Prediction, Span};

use super::logits::Logits;
use super::n_best::n_best;
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
    let mut all = Vec::new();
    for (index, (paragraph, question)) in dataset.questions().enumerate() {
        let own = by_question.get(&index).into_iter().flatten().map(|&i| (&windows[i], &logits[i]));
        let found = n_best(own, options.n_best, options.max_answer_len);
        let span = |span: &Candidate| Span {
            start_logit: span.start_logit,
            end_logit: span.end_logit,
            text: paragraph.context.get(span.start as usize..span.end as usize).unwrap_or_default(),
        };
        let (candidates, null) = found.map_or_else(Default::default, |(spans, null)| (spans, Some(null)));
        let spans: Vec<Span<'_>> = candidates.iter().map(span).collect();
        let null =
            null.zip(null_threshold).map(|([start, end], threshold)| (NullLogits { start, end }, threshold));
        all.push(Prediction::new(&question.id, &spans, options.n_best, null));
    }
    all
}

/// The texts, by question id.
pub fn texts(predicted: &[Prediction]) -> BTreeMap<String, String> {
    predicted.iter().map(|question| (question.id.clone(), question.text.clone())).collect()
}
