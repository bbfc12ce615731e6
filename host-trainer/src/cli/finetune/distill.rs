//! What to learn from a teacher.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_trainer::train::loss::Weights;
use clap::Args;

use crate::cli::check::{not_negative, positive, share};

#[derive(Args)]
pub struct DistillArgs {
    /// A dense fine-tuned directory, or repository of the hub, to imitate
    #[arg(long, value_name = "DIR")]
    pub teacher: Option<PathBuf>,
    /// The teacher's share of the loss, 0 to 1; labels have the rest
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, requires = "teacher")]
    pub distill_weight: f64,
    /// Divides the logits of teacher and student
    #[arg(long, value_name = "NUMBER", default_value_t = 2.0, requires = "teacher")]
    pub temperature: f64,
    /// Weight of the relative error of the hidden states to those of a teacher of the same shape
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, requires = "teacher")]
    pub hidden_weight: f64,
}

impl DistillArgs {
    /// As the library takes it.
    pub fn weights(&self) -> Result<Weights> {
        Ok(Weights {
            distill: share("--distill-weight", self.distill_weight)?,
            temperature: positive("--temperature", self.temperature)?,
            hidden: not_negative("--hidden-weight", self.hidden_weight)?,
        })
    }
}
