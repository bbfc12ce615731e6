//! EM and F1 of a network that is being trained.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use blockspan_squad::{Dataset, Scores};
use candle_core::Device;

use super::Options;
use crate::evaluate::{self, logits, predictions, texts};
use crate::features::{Feature, Labels, features};
use crate::model::BertForQuestionAnswering;
use crate::tokenizer::Tokenizer;

/// Questions to measure on.
pub(super) struct Measure {
    pub(super) dataset: Dataset,
    windows: Vec<Feature>,
    options: evaluate::Options,
}

impl Measure {
    pub(super) fn new(path: &Path, options: &Options, tokenizer: &Tokenizer) -> Result<Self> {
        let dataset = Dataset::read(path)?;
        let windows = features(&dataset, tokenizer, options.windows, Labels::None)
            .with_context(|| path.display().to_string())?;
        let options = evaluate::Options {
            windows: options.windows,
            batch_size: options.batch_size,
            ..evaluate::Options::default()
        };
        Ok(Measure { dataset, windows, options })
    }

    /// The scores, and the predicted texts by question id.
    pub(super) fn scores(
        &self,
        model: &BertForQuestionAnswering,
        pad: u32,
        device: &Device,
    ) -> Result<(Scores, BTreeMap<String, String>)> {
        let logits = logits(model, &self.windows, self.options.batch_size, pad, device)?;
        let predictions = texts(&predictions(&self.dataset, &self.windows, &logits, self.options));
        Ok((blockspan_squad::evaluate(&self.dataset, &predictions), predictions))
    }
}
