//! What a page shows.

use std::collections::BTreeMap;
use std::path::Path;

use blockspan_squad::{Dataset, Scores};
use candle_core::Device;

use crate::config::Config;
use crate::train::metrics::Record;

/// A run that has ended.
pub struct RunSummary<'a> {
    /// The directory of the run, as it was named.
    pub out: &'a Path,
    /// The network.
    pub config: &'a Config,
    /// Flags and their values.
    pub recipe: &'a [(String, String)],
    /// What `metrics.jsonl` holds.
    pub records: &'a [Record],
    /// The share of the weights that are not 0 for each matrix, in the order of [`Config::prunable`].
    pub densities: &'a [f64],
    /// Steps taken.
    pub steps: usize,
    /// Tokens trained on, without padding.
    pub tokens: usize,
    /// Seconds spent.
    pub seconds: f64,
    /// The smoothed loss.
    pub loss: f64,
    /// The share of the encoder's weights that is pruned.
    pub sparsity: f64,
    /// The last evaluation, where there was something to measure on.
    pub evaluation: Option<Evaluated<'a>>,
    /// Where tensors lived.
    pub device: &'a Device,
}

/// An evaluation.
pub struct Evaluated<'a> {
    /// The questions.
    pub dataset: &'a Dataset,
    /// The predicted texts, by question id.
    pub predictions: &'a BTreeMap<String, String>,
    /// EM and F1.
    pub scores: Scores,
}
