//! How answers are chosen.

use anyhow::{Result, ensure};
use blockspan_engine::span::MAX_N_BEST;
use blockspan_squad::Dataset;

use crate::features::WindowOptions;

/// How answers are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluateOptions {
    /// How passages are cut.
    pub windows: WindowOptions,
    /// Windows that the network reads at once.
    pub batch_size: usize,
    /// Starts and ends examined per window.
    pub n_best: usize,
    /// The longest answer, in tokens.
    pub max_answer_len: usize,
    /// The null answer wins where its score is more than this above the best span's; 0 for a data set with unanswerable
    /// questions if nothing is given, and it never wins in others.
    pub null_threshold: Option<f64>,
    /// Asks each question once more where it has no answer ([`blockspan_squad::twins`]), drawn by this seed.
    pub twin_seed: Option<u64>,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        EvaluateOptions {
            windows: WindowOptions::default(),
            batch_size: 16,
            n_best: 20,
            max_answer_len: 30,
            null_threshold: None,
            twin_seed: None,
        }
    }
}

impl EvaluateOptions {
    /// Checks what the types allow but no evaluation can use.
    ///
    /// # Errors
    /// A number out of range, named by its flag.
    pub fn check(&self) -> Result<()> {
        ensure!(self.batch_size > 0, "--batch-size 0: give at least 1");
        ensure!(
            (1..=MAX_N_BEST).contains(&self.n_best),
            "--n-best {}: give a number from 1 to {MAX_N_BEST}",
            self.n_best
        );
        ensure!(self.max_answer_len > 0, "--max-answer-len 0: give at least 1");
        ensure!(!self.null_threshold.is_some_and(f64::is_nan), "--null-threshold NaN: give a number");
        Ok(())
    }

    /// The null threshold, where the null answer is possible.
    pub fn null_threshold_for(&self, dataset: &Dataset) -> Option<f64> {
        self.null_threshold.or(dataset.has_unanswerable().then_some(0.0))
    }
}
