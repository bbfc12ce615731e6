//! EM and F1 of a network that is being trained.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use blockspan_squad::{Dataset, Scores};
use candle_core::Device;

use super::options::FinetuneOptions;
use crate::card::{self, Card, file_name};
use crate::evaluate::{EvaluateOptions, Evaluation, logits, predictions, texts};
use crate::features::{Feature, Labels, features};
use crate::model::BertForQuestionAnswering;
use crate::tokenizer::Tokenizer;

/// An evaluation in the course of a run.
pub(super) struct Evaluated {
    /// Steps taken.
    pub(super) step: usize,
    pub(super) scores: Scores,
    /// The threshold that makes F1 best, where questions may have no answer.
    null_threshold: Option<f64>,
    /// Texts by question id.
    pub(super) predictions: BTreeMap<String, String>,
}

/// Questions to evaluate on, and the newest evaluation.
pub(super) struct Evaluator {
    /// The name of their file.
    name: String,
    pub(super) dataset: Dataset,
    windows: Vec<Feature>,
    options: EvaluateOptions,
    newest: Option<Evaluated>,
}

impl Evaluator {
    pub(super) fn new(path: &Path, options: &FinetuneOptions, tokenizer: &Tokenizer) -> Result<Self> {
        let dataset = Dataset::read(path)?;
        dataset.check_labeled().context("--eval")?;
        let windows = features(&dataset, tokenizer, options.windows, Labels::None)
            .with_context(|| path.display().to_string())?;
        let options = EvaluateOptions {
            windows: options.windows,
            batch_size: options.batch_size,
            ..EvaluateOptions::default()
        };
        Ok(Evaluator { name: file_name(path), dataset, windows, options, newest: None })
    }

    /// The newest evaluation.
    pub(super) fn newest(&self) -> Option<&Evaluated> {
        self.newest.as_ref()
    }

    /// Evaluates the network after `step` steps.
    pub(super) fn evaluate(
        &mut self,
        model: &BertForQuestionAnswering,
        step: usize,
        pad: u32,
        device: &Device,
    ) -> Result<Scores> {
        let logits = logits(model, &self.windows, self.options.batch_size, pad, device)?;
        let predicted = predictions(&self.dataset, &self.windows, &logits, self.options);
        let threshold = self.options.null_threshold;
        let evaluation = Evaluation::new(&self.dataset, predicted, self.windows.len(), threshold);
        let (scores, predictions) = (evaluation.scores, texts(&evaluation.predicted));
        let null_threshold = evaluation.report.null.map(|null| null.best_f1.threshold);
        self.newest = Some(Evaluated { step, scores, null_threshold, predictions });
        Ok(scores)
    }

    /// Adds to the card of the network after `step` steps what was found, if it was evaluated then.
    pub(super) fn describe(&self, step: usize, card: &mut Card) -> Result<()> {
        let Some(newest) = self.newest.as_ref().filter(|newest| newest.step == step) else { return Ok(()) };
        let Scores { exact_match, f1, total } = newest.scores;
        for (key, percent) in [(card::EXACT_MATCH, exact_match), (card::F1, f1)] {
            card.set(key, &((100.0 * percent).round() / 100.0).to_string())?;
        }
        card.set(card::EVALUATED_ON, &format!("{}, {total} questions", self.name))?;
        if let Some(threshold) = newest.null_threshold {
            card.set(card::NULL_THRESHOLD, &threshold.to_string())?;
        }
        Ok(())
    }
}
