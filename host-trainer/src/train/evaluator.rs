//! EM and F1 of a network that is being trained.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use blockspan_squad::{Dataset, Scores};
use candle_core::Device;

use super::options::FinetuneOptions;
use crate::evaluate::{EvaluateOptions, logits, predictions, texts};
use crate::features::{Feature, Labels, features};
use crate::model::BertForQuestionAnswering;
use crate::tokenizer::Tokenizer;

/// An evaluation in the course of a run.
pub(super) struct Evaluated {
    /// Steps taken.
    pub(super) step: usize,
    pub(super) scores: Scores,
    /// Texts by question id.
    pub(super) predictions: BTreeMap<String, String>,
}

/// Questions to evaluate on, and the newest evaluation.
pub(super) struct Evaluator {
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
        Ok(Evaluator { dataset, windows, options, newest: None })
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
        let predictions = texts(&predictions(&self.dataset, &self.windows, &logits, self.options));
        let scores = blockspan_squad::evaluate(&self.dataset, &predictions);
        self.newest = Some(Evaluated { step, scores, predictions });
        Ok(scores)
    }
}
