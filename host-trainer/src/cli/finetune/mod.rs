//! `finetune`: train, pruned and distilled if asked.

mod distill;
mod prune;
mod run;

use core::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::output;
use blockspan_trainer::train::exchange::{Place, Team};
use blockspan_trainer::train::optimizer::AdamWOptions;
use blockspan_trainer::train::{self, FinetuneOptions, Interrupt, Runtime, exit_status};
use candle_core::Device;
use clap::Args;

use super::check::{minutes, not_negative, positive, standard_input_once};
use super::windows::WindowArgs;
use distill::DistillArgs;
use prune::PruneArgs;
use run::RunArgs;

#[derive(Args)]
pub struct Finetune {
    /// Hugging Face directory to begin with, or repository of the hub, ORGANIZATION/NAME
    #[arg(long, value_name = "DIR", alias = "model_name_or_path")]
    pub base: PathBuf,
    /// SQuAD files to train on; a file named twice counts twice; - for standard input
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., alias = "train_file")]
    pub train: Vec<PathBuf>,
    /// The share of the windows in which a question meets a paragraph that does not answer it, drawn anew in each
    /// epoch
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub unanswerable_rate: f64,
    /// Leave out questions whose answer does not stand at its answer_start; without it they are refused
    #[arg(long)]
    pub skip_bad_answers: bool,
    /// SQuAD file to measure on at the end
    #[arg(long, value_name = "FILE", alias = "validation_file")]
    pub eval: Option<PathBuf>,
    /// Directory to write
    #[arg(long, value_name = "DIR", alias = "output_dir")]
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

/// Trains; tells whether a signal ended that early.
pub fn finetune(args: &Finetune, device: &Device, place: &Place) -> Result<ExitCode> {
    let run = &args.run;
    standard_input_once(args.train.iter().chain(&args.eval))?;
    if place.workers > 1 {
        let mut files = args.train.iter().chain(&args.eval);
        ensure!(
            !files.any(|path| output::is_standard(path)),
            "-: {} workers cannot all read standard input; give a file",
            place.workers
        );
    }
    if place.rank > 0 {
        output::mute_remarks();
    }
    let base = model_directory(&args.base)?;
    let options = FinetuneOptions {
        train: args.train.clone(),
        out: args.out.clone(),
        teacher: args.distill.teacher.as_deref().map(model_directory).transpose()?,
        teacher_cache: args.distill.teacher_cache.clone(),
        weights: args.distill.weights(args.unanswerable_rate)?,
        epochs: run.epochs,
        max_steps: run.max_steps,
        schedule: run.schedule()?,
        batch_size: run.batch_size,
        accumulation: run.gradient_accumulation,
        shrink_batch: run.auto_batch_size,
        dropout: run.dropout()?,
        dtype: run.dtype(),
        quantized: run.qat,
        unanswerable_rate: args.unanswerable_rate,
        skip_bad_answers: args.skip_bad_answers,
        windows: args.windows.options(&base)?,
        base,
        seed: run.seed,
        pruning: args.prune.options()?,
        recompute: run.recompute,
        freeze_embeddings: run.freeze_embeddings,
        optimizer: AdamWOptions {
            weight_decay: not_negative("--weight-decay", run.weight_decay)?,
            ..AdamWOptions::default()
        },
        max_grad_norm: positive("--max-grad-norm", run.max_grad_norm)?,
        max_time: run.max_train_minutes.map(|m| minutes("--max-train-minutes", m)).transpose()?,
        eval: args.eval.clone(),
        eval_every: run.eval_every,
        saving: run.saving()?,
    };
    let interrupt = Interrupt::on_signals().context("cannot listen for Ctrl-C")?;
    let (exchange, team) = Team::join(place, run.backend(), device)?;
    let runtime = Runtime { interrupt, exchange, ..Runtime::on(device) };
    let report = match train::finetune(&options, runtime) {
        Ok(report) => report,
        Err(error) => return Err(team.give_up(error)),
    };
    team.end()?;
    if let Some(signal) = report.interrupted {
        output::remark(&format!("stopped and saved at step {}; add --resume to go on", report.steps));
        return Ok(ExitCode::from(u8::try_from(exit_status(signal)).unwrap_or(1)));
    }
    if place.rank > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "{} steps, {} tokens, loss {:.4}, {} pruned weights are 0: {}\n",
        report.steps,
        report.tokens,
        report.loss,
        report.pruned,
        args.out.display()
    );
    if let Some(scores) = report.scores {
        writeln!(text, "EM {:.2}  F1 {:.2}  ({} questions)", scores.exact_match, scores.f1, scores.total)?;
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
