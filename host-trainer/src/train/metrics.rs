//! `metrics.jsonl`: one JSON object a line for every step and every evaluation.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::output::write_atomically;

const FILE: &str = "metrics.jsonl";

/// Smooths the loss: the weight of the newest step.
const NEWEST: f64 = 0.05;

/// The smoothed loss after step number `step` (from 1), given that after the step before: the mean of all losses so
/// far, in which each step counts a twentieth less than the one after it.
pub fn smoothed(before: Option<f64>, loss: f64, step: usize) -> f64 {
    // The weights of all steps so far, 1 for the newest.
    let total = (1.0 - (1.0 - NEWEST).powf(step.max(1) as f64)) / NEWEST;
    before.map_or(loss, |before| before + (loss - before) / total)
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A step of the optimizer.
    Step {
        /// Its number, from 1.
        step: usize,
        /// Passes over the data so far.
        epoch: f64,
        /// The loss of the step's windows.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
        /// The gradient's norm before clipping.
        gradient_norm: f64,
        /// Tokens of the step, without padding.
        tokens: usize,
        /// Those by the seconds of the step.
        tokens_per_second: f64,
        /// The share of the encoder's weights that is pruned.
        sparsity: f64,
        /// Seconds since the run began, pauses left out.
        seconds: f64,
        /// Seconds of the step in which gradients were exchanged with other workers, waiting for these included; nothing for
        /// one worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exchange_seconds: Option<f64>,
    },
    /// An evaluation.
    Evaluation {
        /// Steps taken.
        step: usize,
        /// Exact match, in percent.
        exact_match: f64,
        /// F1, in percent.
        f1: f64,
        /// Seconds since the run began, pauses left out.
        seconds: f64,
    },
}

impl Record {
    /// Steps taken when it was written.
    pub fn step(&self) -> usize {
        match *self {
            Record::Step { step, .. } | Record::Evaluation { step, .. } => step,
        }
    }
}

/// The file of a run under way.
pub struct Metrics {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Metrics {
    /// Opens the file in `out`. Lines after `step`, which a run that was cut off wrote and which will be written again,
    /// are removed.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn open(out: &Path, step: usize) -> Result<Self> {
        let path = out.join(FILE);
        let kept: String = match std::fs::read_to_string(&path) {
            Ok(text) => lines(&text, step).map(|(line, _)| format!("{line}\n")).collect(),
            Err(_) => String::new(),
        };
        write_atomically(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.with_context(|| format!("{}: cannot write", path.display()))?;
        Ok(Metrics { path, file: BufWriter::new(file) })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// A failure to write; the message names the file.
    pub fn log(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record)?;
        // Flushed line by line, so that a plot can follow a run.
        writeln!(self.file, "{line}").and_then(|()| self.file.flush()).with_context(|| self.failure())
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// A failure to write; the message names the file.
    pub fn sync(&mut self) -> Result<()> {
        self.file.get_ref().sync_data().with_context(|| self.failure())
    }

    fn failure(&self) -> String {
        format!("{}: cannot write", self.path.display())
    }
}

/// The records of a run in `out`, in their order.
///
/// # Errors
/// A file that cannot be read.
pub fn read(out: &Path) -> Result<Vec<Record>> {
    let path = out.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot read", path.display()))?;
    Ok(lines(&text, usize::MAX).map(|(_, record)| record).collect())
}

/// The whole lines up to `step`; the last line of a run that was killed may be half a one.
fn lines(text: &str, step: usize) -> impl Iterator<Item = (&str, Record)> {
    text.lines()
        .filter_map(|line| Some((line, serde_json::from_str::<Record>(line).ok()?)))
        .filter(move |(_, record)| record.step() <= step)
}

#[cfg(test)]
mod tests {
    use super::{Metrics, NEWEST, Record, read, smoothed};

    fn record(step: usize) -> Record {
        Record::Evaluation { step, exact_match: 50.0, f1: 0.1 + 0.2, seconds: 1.5 }
    }

    #[test]
    fn the_first_step_weighs_no_more_than_the_others() {
        let losses = [4.0, 2.0, 9.0, 1.0];
        let (mut sum, mut weight, mut before) = (0.0, 0.0, None);
        for (index, loss) in losses.into_iter().enumerate() {
            sum = (1.0 - NEWEST) * sum + loss;
            weight = (1.0 - NEWEST) * weight + 1.0;
            let now = smoothed(before, loss, index + 1);
            assert!((now - sum / weight).abs() < 1e-12, "step {}: {now}", index + 1);
            before = Some(now);
        }
    }

    #[test]
    fn lines_after_the_checkpoint_are_written_again() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let mut metrics = Metrics::open(root.path(), 0)?;
        for step in 1..=3 {
            metrics.log(&record(step))?;
        }
        drop(metrics);
        let path = root.path().join("metrics.jsonl");
        let whole = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{whole}{{\"kind\":\"evalu"))?;
        assert_eq!(read(root.path())?, [record(1), record(2), record(3)]);
        Metrics::open(root.path(), 2)?.log(&record(3))?;
        assert_eq!(std::fs::read_to_string(&path)?, whole);
        Ok(())
    }
}
