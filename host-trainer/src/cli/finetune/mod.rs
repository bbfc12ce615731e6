//! `finetune`: train, pruned and distilled if asked.

mod distill;
mod prune;
mod run;

use std::path::PathBuf;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::optimizer::AdamWOptions;
use blockspan_trainer::schedule::Schedule;
use blockspan_trainer::{evaluate, train};
use candle_core::Device;
use clap::Args;

use super::check::{minutes, not_negative, positive, share};
use super::evaluate::print;
use super::windows::WindowArgs;
use distill::DistillArgs;
use prune::PruneArgs;
use run::RunArgs;

#[derive(Args)]
pub struct Finetune {
    /// Hugging Face directory to begin with.
    #[arg(long, value_name = "DIR")]
    pub base: PathBuf,
    /// SQuAD files to train on; a file named twice counts twice.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub train: Vec<PathBuf>,
    /// SQuAD file to measure on at the end.
    #[arg(long, value_name = "FILE")]
    pub eval: Option<PathBuf>,
    /// Directory to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub windows: WindowArgs,
    #[command(flatten, next_help_heading = "Run")]
    pub run: RunArgs,
    #[command(flatten, next_help_heading = "Pruning")]
    pub prune: PruneArgs,
    #[command(flatten, next_help_heading = "Distillation")]
    pub distill: DistillArgs,
}

/// Trains, then measures if there is something to measure on.
pub fn finetune(args: &Finetune, device: &Device) -> Result<()> {
    let run = &args.run;
    let options = train::Options {
        base: args.base.clone(),
        train: args.train.clone(),
        out: args.out.clone(),
        teacher: args.distill.teacher.clone(),
        weights: args.distill.weights()?,
        epochs: run.epochs,
        schedule: Schedule { peak: positive("--lr", run.lr)?, warmup: share("--warmup", run.warmup)? },
        batch_size: run.batch_size,
        windows: args.windows.options(),
        seed: run.seed,
        pruning: args.prune.options()?,
        freeze_embeddings: run.freeze_embeddings,
        optimizer: AdamWOptions {
            weight_decay: not_negative("--weight-decay", run.weight_decay)?,
            ..AdamWOptions::default()
        },
        max_grad_norm: positive("--max-grad-norm", run.max_grad_norm)?,
        max_time: run.max_train_minutes.map(|m| minutes("--max-train-minutes", m)).transpose()?,
        save_every: run.save_every_minutes.map(|m| minutes("--save-every-minutes", m)).transpose()?,
    };
    // Read before hours of training, not after.
    let eval = args.eval.as_ref().map(Dataset::read).transpose()?;
    let report = train::finetune(&options, device)?;
    println!(
        "{} steps, {} tokens, loss {:.4}, {} pruned weights are 0: {}",
        report.steps,
        report.tokens,
        report.loss,
        report.pruned,
        args.out.display()
    );
    if let Some(dataset) = eval {
        let options = evaluate::Options {
            windows: options.windows,
            batch_size: run.batch_size,
            ..evaluate::Options::default()
        };
        print(&evaluate::evaluate(&args.out, &dataset, options, device)?);
    }
    Ok(())
}
