//! The command line.

mod args;

use core::time::Duration;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use blockspan_engine::format::WordDtype;
use blockspan_squad::Dataset;
use blockspan_trainer::inspect::Inspection;
use blockspan_trainer::loss::Weights;
use blockspan_trainer::optimizer::AdamWOptions;
use blockspan_trainer::pattern::{Census, Pattern};
use blockspan_trainer::schedule::Schedule;
use blockspan_trainer::train::{self, Pruning};
use blockspan_trainer::{checkpoint, evaluate, pack};
use candle_core::Device;
use clap::Parser;

use args::{Cli, Command, DeviceKind, Embeddings, Evaluate, Finetune, Inspect, Pack, PruneSchedule};

/// Runs the command; prints an error in one line and exits with 2.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = device(cli.device).and_then(|device| match &cli.command {
        Command::Finetune(args) => finetune(args, &device),
        Command::Evaluate(args) => print_scores(args, &device),
        Command::Pack(args) => pack_model(args),
        Command::Inspect(args) => inspect(args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::from(2)
        }
    }
}

fn device(kind: DeviceKind) -> Result<Device> {
    match kind {
        DeviceKind::Cpu => Ok(Device::Cpu),
        DeviceKind::Cuda => {
            Device::new_cuda(0).context("--device cuda: no NVIDIA GPU, or built without --features cuda")
        }
    }
}

fn finetune(args: &Finetune, device: &Device) -> Result<()> {
    let options = train::Options {
        base: args.base.clone(),
        train: args.train.clone(),
        out: args.out.clone(),
        teacher: args.teacher.clone(),
        weights: Weights {
            distill: share("--distill-weight", args.distill_weight)?,
            temperature: positive("--temperature", args.temperature)?,
            hidden: not_negative("--hidden-weight", args.hidden_weight)?,
        },
        epochs: args.epochs,
        schedule: Schedule { peak: positive("--lr", args.lr)?, warmup: share("--warmup", args.warmup)? },
        batch_size: args.batch_size,
        windows: args.windows.options(),
        seed: args.seed,
        pruning: pruning(args)?,
        freeze_embeddings: args.freeze_embeddings,
        optimizer: AdamWOptions {
            weight_decay: not_negative("--weight-decay", args.weight_decay)?,
            ..AdamWOptions::default()
        },
        max_grad_norm: positive("--max-grad-norm", args.max_grad_norm)?,
        max_time: args.max_train_minutes.map(|m| minutes("--max-train-minutes", m)).transpose()?,
        save_every: args.save_every_minutes.map(|m| minutes("--save-every-minutes", m)).transpose()?,
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
            batch_size: args.batch_size,
            ..evaluate::Options::default()
        };
        print(&evaluate::evaluate(&args.out, &dataset, options, device)?);
    }
    Ok(())
}

fn pruning(args: &Finetune) -> Result<Option<Pruning>> {
    Ok(match (args.schedule, args.sparsity) {
        (Some(PruneSchedule::Lock), Some(_)) => {
            bail!("--schedule lock keeps the zeros of the checkpoint: leave out --sparsity")
        }
        (Some(PruneSchedule::Lock), None) => Some(Pruning::Lock { pattern: args.pattern }),
        (Some(PruneSchedule::Oneshot) | None, Some(sparsity)) => Some(Pruning::OneShot {
            pattern: args.pattern.unwrap_or(Pattern::OutputBlock),
            sparsity: share("--sparsity", sparsity)?,
        }),
        (Some(PruneSchedule::Oneshot), None) => {
            bail!("--schedule oneshot needs --sparsity, for example 0.8")
        }
        (None, None) if args.pattern.is_some() => {
            bail!("--pattern needs --sparsity, for example 0.8, or --schedule lock")
        }
        (None, None) => None,
    })
}

fn pack_model(args: &Pack) -> Result<()> {
    let metadata = args.metadata.iter().map(|line| {
        let (key, value) =
            line.split_once('=').with_context(|| format!("--metadata {line:?}: write it as KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    let options = pack::Options {
        embeddings: match args.embeddings {
            Embeddings::I8 => WordDtype::I8,
            Embeddings::F16 => WordDtype::F16,
        },
        max_seq_len: args.windows.max_seq_len,
        doc_stride: args.windows.doc_stride,
        metadata: metadata.collect::<Result<_>>()?,
        force_dense: args.force_dense,
    };
    let report = pack::pack(&args.model, &args.out, &options)?;
    for matrix in &report.matrices {
        let (rows, cols) = matrix.shape;
        println!(
            "{:<52} {rows:>5} x {cols:<5} {:>5.1} % zeros, {:>5.1} % of the blocks kept",
            matrix.name,
            100.0 * matrix.sparsity,
            100.0 * matrix.density
        );
    }
    println!(
        "{}: {} bytes, {} matrices, {}",
        args.out.display(),
        report.file_len,
        report.matrices.len(),
        report.pattern
    );
    Ok(())
}

fn inspect(args: &Inspect) -> Result<()> {
    let inspection = Inspection::of_directory(&args.model)?;
    let line = |name: &str, shape: &str, figures: [String; 3], pattern: &str| {
        let [weights, output, input] = figures;
        println!("{name:<52} {shape:>13} {weights:>9} {output:>12} {input:>11}  {pattern}");
    };
    let headings = ["density", "output-block", "input-block"].map(str::to_owned);
    line("encoder matrix", "out x in", headings, "pattern");
    let figures = |census: Census| {
        let blocks = [Pattern::OutputBlock, Pattern::InputBlock].map(|p| census.block_density(p));
        [1.0 - census.sparsity(), blocks[0], blocks[1]].map(|share| format!("{:.1} %", 100.0 * share))
    };
    for (matrix, census) in &inspection.matrices {
        let shape = format!("{} x {}", matrix.outputs, matrix.inputs);
        line(&matrix.name, &shape, figures(*census), &census.verdict().to_string());
    }
    let total = inspection.total();
    let (verdict, reason) = match inspection.pattern() {
        Ok(Some(pattern)) => (pattern.name(), None),
        Ok(None) => ("dense", None),
        Err(error) => ("neither", Some(error)),
    };
    line("all", &format!("{} weights", total.weights), figures(total), verdict);
    if let Some(reason) = reason {
        println!("{reason}");
    }
    Ok(())
}

fn print_scores(args: &Evaluate, device: &Device) -> Result<()> {
    let dataset = Dataset::read(&args.file)?;
    let options = evaluate::Options {
        windows: args.windows.options(),
        batch_size: args.batch_size,
        n_best: args.n_best,
        max_answer_len: args.max_answer_len,
    };
    let evaluation = evaluate::evaluate(&args.model, &dataset, options, device)?;
    if let Some(path) = &args.predictions {
        let json = serde_json::to_string_pretty(&evaluation.predictions)? + "\n";
        checkpoint::write_atomically(path, json.as_bytes())?;
    }
    print(&evaluation);
    Ok(())
}

fn print(evaluation: &evaluate::Evaluation) {
    let scores = evaluation.scores;
    println!(
        "EM {:.2}  F1 {:.2}  ({} questions, {} windows)",
        scores.exact_match, scores.f1, scores.total, evaluation.windows
    );
}

fn share(name: &str, value: f64) -> Result<f64> {
    ensure!((0.0..=1.0).contains(&value), "{name} {value}: give a share between 0 and 1");
    Ok(value)
}

fn positive(name: &str, value: f64) -> Result<f64> {
    ensure!(value > 0.0 && value.is_finite(), "{name} {value}: give a positive number");
    Ok(value)
}

fn not_negative(name: &str, value: f64) -> Result<f64> {
    ensure!(value >= 0.0 && value.is_finite(), "{name} {value}: give 0 or a positive number");
    Ok(value)
}

fn minutes(name: &str, value: f64) -> Result<Duration> {
    Ok(Duration::from_secs_f64(60.0 * positive(name, value)?.min(1e9)))
}
