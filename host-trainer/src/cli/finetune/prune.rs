//! Which weights become zero, and when.

use anyhow::{Result, bail};
use blockspan_trainer::pattern::Pattern;
use blockspan_trainer::train::Pruning;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::cli::check::share;

#[derive(Args)]
pub struct PruneArgs {
    /// The share of each encoder matrix that becomes zero, for example 0.8.
    #[arg(long)]
    pub sparsity: Option<f64>,
    /// The blocks that become zero together; output-block unless said otherwise.
    #[arg(long, value_parser = pattern())]
    pub pattern: Option<Pattern>,
    /// When zeros are chosen; oneshot if --sparsity is given.
    #[arg(long, value_enum)]
    pub schedule: Option<PruneSchedule>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PruneSchedule {
    /// Prune once, before the first step.
    Oneshot,
    /// Keep the zero blocks with which the checkpoint came.
    Lock,
}

impl PruneArgs {
    /// As the library takes it.
    pub fn options(&self) -> Result<Option<Pruning>> {
        Ok(match (self.schedule, self.sparsity) {
            (Some(PruneSchedule::Lock), Some(_)) => {
                bail!("--schedule lock keeps the zeros of the checkpoint: leave out --sparsity")
            }
            (Some(PruneSchedule::Lock), None) => Some(Pruning::Lock { pattern: self.pattern }),
            (Some(PruneSchedule::Oneshot) | None, Some(sparsity)) => Some(Pruning::OneShot {
                pattern: self.pattern.unwrap_or(Pattern::OutputBlock),
                sparsity: share("--sparsity", sparsity)?,
            }),
            (Some(PruneSchedule::Oneshot), None) => {
                bail!("--schedule oneshot needs --sparsity, for example 0.8")
            }
            (None, None) if self.pattern.is_some() => {
                bail!("--pattern needs --sparsity, for example 0.8, or --schedule lock")
            }
            (None, None) => None,
        })
    }
}

fn pattern() -> impl TypedValueParser<Value = Pattern> {
    PossibleValuesParser::new([Pattern::OutputBlock, Pattern::InputBlock].map(Pattern::name))
        .try_map(|name| name.parse::<Pattern>())
}
