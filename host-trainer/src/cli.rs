//! The command line.

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use blockspan_engine::format::WordDtype;
use blockspan_squad::Dataset;
use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::loss::Weights;
use blockspan_trainer::optimizer::AdamWOptions;
use blockspan_trainer::pattern::Pattern;
use blockspan_trainer::schedule::Schedule;
use blockspan_trainer::train::{self, Pruning};
use blockspan_trainer::{checkpoint, evaluate, pack};
use candle_core::Device;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fine-tunes, prunes, evaluates and packs BERT for question answering.
#[derive(Parser)]
#[command(name = "blockspan-trainer", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Where tensors live.
    #[arg(long, global = true, value_enum, default_value_t = DeviceKind::Cpu)]
    device: DeviceKind,
}

#[derive(Subcommand)]
enum Command {
    /// Fine-tune a Hugging Face BERT directory on SQuAD files, pruned in 1×4 blocks if asked.
    Finetune(Box<Finetune>),
    /// Print EM and F1 of a fine-tuned directory over a SQuAD file.
    Evaluate(Evaluate),
    /// Quantise a fine-tuned directory to int8 and pack it into one file for the engine.
    Pack(Pack),
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceKind {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PruneSchedule {
    /// Prune once, before the first step.
    Oneshot,
    /// Keep the zero blocks with which the checkpoint came.
    Lock,
}

#[derive(Args)]
struct WindowArgs {
    /// The longest window, in tokens.
    #[arg(long, default_value_t = 384)]
    max_seq_len: usize,
    /// How many passage tokens neighbouring windows share.
    #[arg(long, default_value_t = 128)]
    doc_stride: usize,
}

impl WindowArgs {
    fn options(&self) -> WindowOptions {
        WindowOptions { max_seq_len: self.max_seq_len, doc_stride: self.doc_stride }
    }
}

#[derive(Args)]
struct Finetune {
    /// Hugging Face directory to begin with.
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// SQuAD files to train on; a file named twice counts twice.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    train: Vec<PathBuf>,
    /// SQuAD file to measure on at the end.
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Directory to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Passes over the data.
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// The highest learning rate.
    #[arg(long, default_value_t = 1e-4)]
    lr: f64,
    /// The share of the run in which the learning rate rises.
    #[arg(long, default_value_t = 0.05)]
    warmup: f64,
    /// Decay of weights per step, times the learning rate.
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f64,
    /// The gradient's norm is cut to this.
    #[arg(long, default_value_t = 1.0)]
    max_grad_norm: f64,
    /// Windows per step.
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    #[command(flatten)]
    windows: WindowArgs,
    /// Decides the order of the data and the fresh head.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The share of each encoder matrix that becomes zero, for example 0.8.
    #[arg(long)]
    sparsity: Option<f64>,
    /// The blocks that become zero together; output-block unless said otherwise.
    #[arg(long, value_enum)]
    pattern: Option<Pattern>,
    /// When zeros are chosen; oneshot if --sparsity is given.
    #[arg(long, value_enum)]
    schedule: Option<PruneSchedule>,
    /// A dense fine-tuned directory to imitate.
    #[arg(long, value_name = "DIR")]
    teacher: Option<PathBuf>,
    /// The teacher's share of the loss, 0 to 1; labels have the rest.
    #[arg(long, default_value_t = 0.8, requires = "teacher")]
    distill_weight: f64,
    /// Divides the logits of teacher and student.
    #[arg(long, default_value_t = 2.0, requires = "teacher")]
    temperature: f64,
    /// Weight of the relative error of the hidden states to those of a teacher of the same shape.
    #[arg(long, default_value_t = 0.0, requires = "teacher")]
    hidden_weight: f64,
    /// Leave the embeddings as they are.
    #[arg(long)]
    freeze_embeddings: bool,
    /// Ends the run after so many minutes; the learning rate reaches zero then.
    #[arg(long, value_name = "MINUTES")]
    max_train_minutes: Option<f64>,
    /// Writes --out every so many minutes, and after each epoch.
    #[arg(long, value_name = "MINUTES")]
    save_every_minutes: Option<f64>,
}

#[derive(Args)]
struct Evaluate {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// SQuAD file to measure on.
    file: PathBuf,
    #[command(flatten)]
    windows: WindowArgs,
    /// Windows that are read at once.
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Starts and ends examined per window.
    #[arg(long, default_value_t = 20)]
    n_best: usize,
    /// The longest answer, in tokens.
    #[arg(long, default_value_t = 30)]
    max_answer_len: usize,
    /// Write the predicted texts here, by question id.
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
}

#[derive(Args)]
struct Pack {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// File to write, usually *.bspan.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How word embeddings are stored.
    #[arg(long, value_enum, default_value_t = Embeddings::I8)]
    embeddings: Embeddings,
    #[command(flatten)]
    windows: WindowArgs,
    /// A line of metadata, KEY=VALUE; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Embeddings {
    /// int8 with a scale per row.
    I8,
    /// IEEE half precision.
    F16,
}

/// Runs the command; prints an error in one line and exits with 2.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = device(cli.device).and_then(|device| match &cli.command {
        Command::Finetune(args) => finetune(args, &device),
        Command::Evaluate(args) => print_scores(args, &device),
        Command::Pack(args) => pack_model(args),
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
