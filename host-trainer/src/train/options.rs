//! What a run is told, and what it tells at its end.

use core::time::Duration;
use std::path::PathBuf;

use blockspan_squad::Scores;
use candle_core::DType;

use crate::config::Config;
use crate::features::WindowOptions;
use crate::model::DropoutRates;
use crate::prune::pattern::Pattern;
use crate::prune::{Plan, Score};
use crate::train::loss::Weights;
use crate::train::optimizer::AdamWOptions;
use crate::train::schedule::Schedule;

/// The flags that say how long a run is, the second before the first.
pub(super) const EPOCHS: &str = "--epochs";
/// See [`EPOCHS`].
pub(super) const MAX_STEPS: &str = "--max-steps";
/// The flags whose product is the windows of a step.
pub(super) const BATCH_SIZE: &str = "--batch-size";
/// See [`BATCH_SIZE`].
pub(super) const ACCUMULATION: &str = "--gradient-accumulation";
/// See [`BATCH_SIZE`].
pub(super) const WORKERS: &str = "--workers";
/// See [`FinetuneOptions::dtype`].
pub(super) const DTYPE: &str = "--dtype";

/// How the encoder is pruned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pruning {
    /// In the course of the run, or at once.
    Plan {
        /// What, by what measure and when.
        plan: Plan,
        /// Windows of the training data that [`Score::Obs`] measures by.
        calibration: usize,
    },
    /// The zero blocks with which the checkpoint came stay zero.
    Lock {
        /// The blocks that are expected, if any are.
        pattern: Option<Pattern>,
    },
}

impl Pruning {
    /// Once, before the first step: the same share of every matrix, by magnitude.
    pub fn one_shot(pattern: Pattern, sparsity: f64) -> Self {
        Pruning::Plan { plan: Plan::one_shot(pattern, sparsity), calibration: 0 }
    }

    /// The flags that ask for it.
    fn recipe(self) -> Vec<(&'static str, String)> {
        let (plan, calibration) = match self {
            Pruning::Plan { plan, calibration } => (plan, calibration),
            Pruning::Lock { pattern } => {
                let pattern = pattern.map_or("none", Pattern::name).to_owned();
                return vec![("--schedule", "lock".into()), ("--pattern", pattern)];
            }
        };
        let gradual = plan.ramp.end > 0.0;
        let mut flags = vec![
            ("--schedule", if gradual { "gradual" } else { "oneshot" }.to_owned()),
            ("--pattern", plan.pattern.name().to_owned()),
            ("--sparsity", plan.sparsity.to_string()),
            ("--score", plan.score.name().to_owned()),
            ("--scope", format!("{:?}", plan.scope).to_lowercase()),
        ];
        if gradual {
            flags.extend([
                ("--prune-begin", plan.ramp.begin.to_string()),
                ("--prune-end", plan.ramp.end.to_string()),
                ("--prune-every", plan.ramp.every.to_string()),
            ]);
        }
        if plan.score == Score::Obs {
            flags.push(("--calibration", calibration.to_string()));
        }
        flags
    }
}

/// When a run saves itself, and what it keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// A checkpoint every so many steps; there is always one at the end of an epoch and of the run.
    pub every_steps: Option<usize>,
    /// A checkpoint every so often.
    pub every: Option<Duration>,
    /// The newest checkpoints that stay, at least 1; the best one stays too.
    pub keep: usize,
    /// Goes on from the newest checkpoint in `out`, or begins if there is none.
    pub resume: bool,
    /// Removes the checkpoints of an earlier run in `out`, which are refused otherwise.
    pub overwrite: bool,
}

impl Default for Saving {
    fn default() -> Self {
        Saving { every_steps: None, every: None, keep: 2, resume: false, overwrite: false }
    }
}

/// What a run is told.
#[derive(Clone, Debug)]
pub struct FinetuneOptions {
    /// The Hugging Face directory to begin with.
    pub base: PathBuf,
    /// SQuAD files to train on; one that is named twice counts twice.
    pub train: Vec<PathBuf>,
    /// The directory to write.
    pub out: PathBuf,
    /// A dense model to imitate.
    pub teacher: Option<PathBuf>,
    /// A directory that keeps the teacher's logits: what is missing there is computed before the first step. It changes how
    /// long a run takes, not what it learns.
    pub teacher_cache: Option<PathBuf>,
    /// The parts of the loss.
    pub weights: Weights,
    /// Passes over the data.
    pub epochs: usize,
    /// Steps of the optimizer, in place of whole passes.
    pub max_steps: Option<usize>,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// Windows that the network reads at once.
    pub batch_size: usize,
    /// Batches whose gradients are added up for one step.
    pub accumulation: usize,
    /// Halves the batch when the device runs out of memory; a step keeps its windows.
    pub shrink_batch: bool,
    /// In place of the configuration's `hidden_dropout_prob` and `attention_probs_dropout_prob`.
    pub dropout: (Option<f64>, Option<f64>),
    /// What products and activations are computed in; weights and moments are always kept in f32. On a CPU bf16 is that of
    /// products only.
    pub dtype: DType,
    /// Trains what the packed int8 model will compute.
    pub quantized: bool,
    /// The share of the windows, 0 to below 1, that pair a question with a paragraph that does not answer it, drawn anew
    /// in each epoch: mostly one of the question's own article.
    pub unanswerable_rate: f64,
    /// Leaves out the questions whose answers do not stand at their `answer_start`, which are refused otherwise.
    pub skip_bad_answers: bool,
    /// How passages are cut.
    pub windows: WindowOptions,
    /// Decides the order of the data, what dropout drops and a fresh head.
    pub seed: u64,
    /// How the encoder is pruned; not at all for `None`.
    pub pruning: Option<Pruning>,
    /// Keeps only the inputs of the layers for the backward pass, which computes each layer once more: less memory, more
    /// time, the same bits on a CPU.
    pub recompute: bool,
    /// Leaves the embeddings as they are: rare words, seen a few times, keep what pre-training gave them.
    pub freeze_embeddings: bool,
    /// The optimizer's constants.
    pub optimizer: AdamWOptions,
    /// The gradient is scaled down to this norm.
    pub max_grad_norm: f64,
    /// Ends the run early; the learning rate then decays by time where time is shorter than the epochs.
    pub max_time: Option<Duration>,
    /// A SQuAD file to measure on at the end.
    pub eval: Option<PathBuf>,
    /// Measures every so many steps too; the best of these checkpoints is kept.
    pub eval_every: Option<usize>,
    /// Checkpoints.
    pub saving: Saving,
}

impl FinetuneOptions {
    /// Windows of one step of the optimizer.
    pub fn step_windows(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulation)
    }

    /// Steps of the whole run, given those of a pass over the data.
    pub fn steps(&self, per_epoch: usize) -> usize {
        self.max_steps.unwrap_or_else(|| per_epoch.saturating_mul(self.epochs))
    }

    /// The dropout of a network of this configuration.
    pub fn dropout(&self, config: &Config) -> DropoutRates {
        DropoutRates {
            hidden: self.dropout.0.unwrap_or(config.hidden_dropout_prob),
            attention: self.dropout.1.unwrap_or(config.attention_probs_dropout_prob),
        }
    }

    /// What decides the course of a run, by the flag that sets it: a run goes on only with the same, except that it may
    /// become longer and change its `--dtype`.
    pub fn recipe(&self) -> Vec<(String, String)> {
        let paths = |paths: &[PathBuf]| {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let optional = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        let dropout = |rate: Option<f64>| rate.map_or("of config.json".into(), |rate| rate.to_string());
        let flags = [
            ("--base", paths(core::slice::from_ref(&self.base))),
            ("--train", paths(&self.train)),
            ("--teacher", optional(self.teacher.as_deref().map(|path| path.display().to_string()))),
            ("--distill-weight", self.weights.distill.to_string()),
            ("--temperature", self.weights.temperature.to_string()),
            ("--hidden-weight", self.weights.hidden.to_string()),
            (EPOCHS, self.epochs.to_string()),
            ("--lr", self.schedule.peak.to_string()),
            ("--lr-decay", format!("{:?}", self.schedule.decay).to_lowercase()),
            ("--warmup", self.schedule.warmup.to_string()),
            (BATCH_SIZE, self.batch_size.to_string()),
            (ACCUMULATION, self.accumulation.to_string()),
            ("--hidden-dropout", dropout(self.dropout.0)),
            ("--attention-dropout", dropout(self.dropout.1)),
            (DTYPE, self.dtype.as_str().to_owned()),
            ("--qat", self.quantized.to_string()),
            ("--max-seq-len", self.windows.max_seq_len.to_string()),
            ("--doc-stride", self.windows.doc_stride.to_string()),
            ("--seed", self.seed.to_string()),
            ("--freeze-embeddings", self.freeze_embeddings.to_string()),
            ("--weight-decay", self.optimizer.weight_decay.to_string()),
            ("--max-grad-norm", self.max_grad_norm.to_string()),
        ];
        // Not named where they do nothing, so that runs which began before there were such flags can go on.
        let unanswerable = (self.unanswerable_rate > 0.0)
            .then(|| ("--unanswerable-rate", self.unanswerable_rate.to_string()));
        let null_distill = (self.weights.null_distill != self.weights.distill)
            .then(|| ("--null-distill-weight", self.weights.null_distill.to_string()));
        let max_steps = self.max_steps.map(|steps| (MAX_STEPS, steps.to_string()));
        let pruning = self.pruning.map_or_else(|| vec![("--schedule", "none".into())], Pruning::recipe);
        let skip_bad_answers = self.skip_bad_answers.then(|| ("--skip-bad-answers", "true".into()));
        let all = flags
            .into_iter()
            .chain(unanswerable)
            .chain(null_distill)
            .chain(skip_bad_answers)
            .chain(max_steps)
            .chain(pruning);
        all.map(|(flag, value)| (flag.to_owned(), value)).collect()
    }
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct FinetuneReport {
    /// Steps taken, those before the run was resumed included.
    pub steps: usize,
    /// Tokens trained on, without padding.
    pub tokens: usize,
    /// The smoothed loss at the end.
    pub loss: f64,
    /// Weights that are exactly 0 because they are pruned.
    pub pruned: usize,
    /// The signal that ended the run before its end; it can be resumed.
    pub interrupted: Option<usize>,
    /// EM and F1 at the end, where there was something to measure on.
    pub scores: Option<Scores>,
}
