//! What to learn from a teacher.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use blockspan_trainer::train::loss::Weights;
use clap::Args;

use crate::cli::check::{not_negative, share};

#[derive(Args)]
pub struct DistillArgs {
    /// A dense fine-tuned directory, or repository of the hub, to imitate
    #[arg(long, value_name = "DIR")]
    pub teacher: Option<PathBuf>,
    /// Directory that keeps the teacher's logits, for this run and for others with the same teacher and data: the teacher
    /// reads each window once. It takes 8 bytes for each token of the data, on the disk and in memory
    #[arg(long, value_name = "DIR", requires = "teacher")]
    pub teacher_cache: Option<PathBuf>,
    /// The teacher's share of the loss, 0 to 1; labels have the rest
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, requires = "teacher")]
    pub distill_weight: f64,
    /// The teacher's share in windows that do not hold the answer [default: --distill-weight; 0 with --unanswerable-rate]
    #[arg(long, value_name = "SHARE", requires = "teacher")]
    pub null_distill_weight: Option<f64>,
    /// Divides the logits of teacher and student
    #[arg(long, value_name = "NUMBER", default_value_t = 2.0, requires = "teacher")]
    pub temperature: f64,
    /// Weight of the relative error of the hidden states to those of a teacher of the same shape
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, requires = "teacher")]
    pub hidden_weight: f64,
}

impl DistillArgs {
    /// As the library takes it. A teacher is not asked about windows that the run makes unanswerable, unless told.
    pub fn weights(&self, unanswerable_rate: f64) -> Result<Weights> {
        let distill = share("--distill-weight", self.distill_weight)?;
        let default = if unanswerable_rate > 0.0 { 0.0 } else { distill };
        let null_distill = self.null_distill_weight;
        Ok(Weights {
            distill,
            null_distill: null_distill.map_or(Ok(default), |value| share("--null-distill-weight", value))?,
            temperature: temperature(self.temperature)?,
            hidden: not_negative("--hidden-weight", self.hidden_weight)?,
        })
    }
}

/// A temperature at which f32 holds the logits and the loss.
fn temperature(value: f64) -> Result<f64> {
    ensure!((0.01..=100.0).contains(&value), "--temperature {value}: give a number from 0.01 to 100");
    Ok(value)
}
