//! What a run writes and shows on its way, and the time that it takes.

use std::time::Instant;

use anyhow::Result;
use blockspan_squad::Scores;

use crate::train::metrics::{Metrics, Record};
use crate::train::progress::{Progress, Status};
use crate::train::state::State;

/// What one step showed.
pub(super) struct StepResult {
    pub(super) loss: f64,
    pub(super) tokens: usize,
    pub(super) learning_rate: f64,
    pub(super) gradient_norm: f64,
    pub(super) seconds: f64,
    /// Seconds of the exchange with other workers, if there are any.
    pub(super) exchange_seconds: Option<f64>,
    /// The share of the encoder's weights that is pruned.
    pub(super) sparsity: f64,
}

/// `metrics.jsonl`, the progress bar and the clock.
pub(super) struct RunLog {
    /// Nothing for a worker that writes no files.
    metrics: Option<Metrics>,
    progress: Progress,
    start: Instant,
    /// Tokens and seconds when this process began.
    before: (usize, f64),
}

impl RunLog {
    /// Begins to take the time of a run that stands at `state`.
    pub(super) fn new(metrics: Option<Metrics>, state: &State) -> Self {
        let progress = Progress::new(metrics.is_none());
        RunLog { metrics, progress, start: Instant::now(), before: (state.tokens, state.seconds) }
    }

    /// Whether this worker writes the run's files.
    pub(super) fn writes_files(&self) -> bool {
        self.metrics.is_some()
    }

    /// Seconds since the run began, pauses left out.
    pub(super) fn seconds(&self) -> f64 {
        self.before.1 + self.start.elapsed().as_secs_f64()
    }

    /// Shows a line of its own.
    pub(super) fn line(&self, text: &str) {
        self.progress.line(text);
    }

    /// Logs a step after which the run stands at `state` and the share `done` is behind it.
    pub(super) fn step(&mut self, state: &State, result: &StepResult, epoch: f64, done: f64) -> Result<()> {
        let elapsed = self.start.elapsed().as_secs_f64();
        self.progress.step(&Status {
            step: state.step,
            done,
            left: state.seconds * (1.0 - done) / done.max(1e-9),
            loss: state.loss.unwrap_or(result.loss),
            rate: result.learning_rate,
            speed: (state.tokens - self.before.0) as f64 / elapsed.max(1e-9),
            sparsity: result.sparsity,
        });
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        metrics.log(&Record::Step {
            step: state.step,
            epoch,
            loss: result.loss,
            learning_rate: result.learning_rate,
            gradient_norm: result.gradient_norm,
            tokens: result.tokens,
            tokens_per_second: result.tokens as f64 / result.seconds.max(1e-9),
            sparsity: result.sparsity,
            seconds: state.seconds,
            exchange_seconds: result.exchange_seconds,
        })
    }

    /// Logs an evaluation.
    pub(super) fn evaluation(&mut self, state: &State, scores: Scores) -> Result<()> {
        let (step, Scores { exact_match, f1, .. }) = (state.step, scores);
        self.progress.line(&format!("step {step}  EM {exact_match:.2}  F1 {f1:.2}"));
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        metrics.log(&Record::Evaluation { step, exact_match, f1, seconds: state.seconds })
    }

    /// Waits until all records are on the disk.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.metrics.as_mut().map_or(Ok(()), Metrics::sync)
    }

    /// Removes the progress bar.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }
}
