//! Which weights become zero, and when.

use anyhow::{Result, bail, ensure};
use blockspan_trainer::prune::pattern::Pattern;
use blockspan_trainer::prune::{Plan, Ramp, Scope, Score};
use blockspan_trainer::train::Pruning;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::cli::check::share;

#[derive(Args)]
pub struct PruneArgs {
    /// The share of each encoder matrix that becomes zero, for example 0.8
    #[arg(long, value_name = "SHARE")]
    pub sparsity: Option<f64>,
    /// The blocks that become zero together [default: output-block]
    #[arg(long, value_name = "NAME", value_parser = pattern())]
    pub pattern: Option<Pattern>,
    /// When zeros are chosen [default: oneshot, if --sparsity is given]
    #[arg(long, value_name = "NAME", value_enum)]
    pub schedule: Option<PruneSchedule>,
    /// How a block's worth is told
    #[arg(long, value_name = "NAME", value_enum, default_value_t = PruneScore::Magnitude, requires = "sparsity")]
    pub score: PruneScore,
    /// Within what --sparsity counts
    #[arg(long, value_name = "NAME", value_enum, default_value_t = PruneScope::Matrix, requires = "sparsity")]
    pub scope: PruneScope,
    /// With --schedule gradual, the share of the run after which pruning begins [default: 0.05].
    #[arg(long, value_name = "SHARE")]
    pub prune_begin: Option<f64>,
    /// With --schedule gradual, the share of the run after which --sparsity is reached [default: 0.5].
    #[arg(long, value_name = "SHARE")]
    pub prune_end: Option<f64>,
    /// With --schedule gradual, steps between two prunings [default: 100].
    #[arg(long, value_name = "N")]
    pub prune_every: Option<usize>,
    /// With --score obs, windows of the training data to measure by [default: 256].
    #[arg(long, value_name = "N")]
    pub calibration: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PruneSchedule {
    /// Prune once, before the first step.
    Oneshot,
    /// Prune a little at a time, along a cubic ramp.
    Gradual,
    /// Keep the zero blocks with which the checkpoint came.
    Lock,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PruneScore {
    /// Its mean |w|.
    Magnitude,
    /// Its part in the first-order change of the loss.
    Taylor,
    /// What the layer's outputs change without it, when the kept weights make up for it; and they do.
    Obs,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PruneScope {
    /// The same share of every matrix.
    Matrix,
    /// A share of all matrices together.
    Global,
}

impl PruneArgs {
    /// As the library takes it.
    pub fn options(&self) -> Result<Option<Pruning>> {
        let gradual = self.schedule == Some(PruneSchedule::Gradual);
        let given = [
            ("--prune-begin", self.prune_begin.is_some()),
            ("--prune-end", self.prune_end.is_some()),
            ("--prune-every", self.prune_every.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given && !gradual) {
            bail!("{flag} needs --schedule gradual");
        }
        ensure!(
            self.calibration.is_none() || self.score == PruneScore::Obs,
            "--calibration needs --score obs"
        );
        Ok(match (self.schedule, self.sparsity) {
            (Some(PruneSchedule::Lock), Some(_)) => {
                bail!("--schedule lock keeps the zeros of the checkpoint: leave out --sparsity")
            }
            (Some(PruneSchedule::Lock), None) => Some(Pruning::Lock { pattern: self.pattern }),
            (Some(PruneSchedule::Oneshot | PruneSchedule::Gradual) | None, Some(sparsity)) => {
                let ramp = if gradual {
                    Ramp {
                        begin: self.prune_begin.unwrap_or(0.05),
                        end: self.prune_end.unwrap_or(0.5),
                        every: self.prune_every.unwrap_or(100),
                    }
                } else {
                    Ramp { begin: 0.0, end: 0.0, every: 1 }
                };
                Some(Pruning::Plan {
                    plan: self.plan(share("--sparsity", sparsity)?, ramp),
                    calibration: self.calibration.unwrap_or(256),
                })
            }
            (Some(PruneSchedule::Oneshot), None) => {
                bail!("--schedule oneshot needs --sparsity, for example 0.8")
            }
            (Some(PruneSchedule::Gradual), None) => {
                bail!("--schedule gradual needs --sparsity, for example 0.8")
            }
            (None, None) if self.pattern.is_some() => {
                bail!("--pattern needs --sparsity, for example 0.8, or --schedule lock")
            }
            (None, None) => None,
        })
    }

    fn plan(&self, sparsity: f64, ramp: Ramp) -> Plan {
        Plan {
            pattern: self.pattern.unwrap_or(Pattern::OutputBlock),
            sparsity,
            score: match self.score {
                PruneScore::Magnitude => Score::Magnitude,
                PruneScore::Taylor => Score::Taylor,
                PruneScore::Obs => Score::Obs,
            },
            scope: match self.scope {
                PruneScope::Matrix => Scope::Matrix,
                PruneScope::Global => Scope::Global,
            },
            ramp,
        }
    }
}

fn pattern() -> impl TypedValueParser<Value = Pattern> {
    PossibleValuesParser::new([Pattern::OutputBlock, Pattern::InputBlock].map(Pattern::name))
        .try_map(|name| name.parse::<Pattern>())
}
