//! What the command line may say.

use std::path::PathBuf;

use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::pattern::Pattern;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fine-tunes, prunes, evaluates and packs BERT for question answering.
#[derive(Parser)]
#[command(name = "blockspan-trainer", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Where tensors live.
    #[arg(long, global = true, value_enum, default_value_t = DeviceKind::Cpu)]
    pub device: DeviceKind,
}

#[derive(Subcommand)]
pub enum Command {
    /// Fine-tune a Hugging Face BERT directory on SQuAD files, pruned in 1×4 blocks if asked.
    Finetune(Box<Finetune>),
    /// Print EM and F1 of a fine-tuned directory over a SQuAD file.
    Evaluate(Evaluate),
    /// Quantise a fine-tuned directory to int8 and pack it into one file for the engine.
    Pack(Pack),
    /// Print the shape, density and block pattern of every encoder matrix of a model directory.
    Inspect(Inspect),
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PruneSchedule {
    /// Prune once, before the first step.
    Oneshot,
    /// Keep the zero blocks with which the checkpoint came.
    Lock,
}

#[derive(Args)]
pub struct WindowArgs {
    /// The longest window, in tokens.
    #[arg(long, default_value_t = 384)]
    pub max_seq_len: usize,
    /// How many passage tokens neighbouring windows share.
    #[arg(long, default_value_t = 128)]
    pub doc_stride: usize,
}

impl WindowArgs {
    /// As the library takes it.
    pub fn options(&self) -> WindowOptions {
        WindowOptions { max_seq_len: self.max_seq_len, doc_stride: self.doc_stride }
    }
}

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
    /// Passes over the data.
    #[arg(long, default_value_t = 2)]
    pub epochs: usize,
    /// The highest learning rate.
    #[arg(long, default_value_t = 1e-4)]
    pub lr: f64,
    /// The share of the run in which the learning rate rises.
    #[arg(long, default_value_t = 0.05)]
    pub warmup: f64,
    /// Decay of weights per step, times the learning rate.
    #[arg(long, default_value_t = 0.01)]
    pub weight_decay: f64,
    /// The gradient's norm is cut to this.
    #[arg(long, default_value_t = 1.0)]
    pub max_grad_norm: f64,
    /// Windows per step.
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// Decides the order of the data and the fresh head.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The share of each encoder matrix that becomes zero, for example 0.8.
    #[arg(long)]
    pub sparsity: Option<f64>,
    /// The blocks that become zero together; output-block unless said otherwise.
    #[arg(long, value_parser = pattern())]
    pub pattern: Option<Pattern>,
    /// When zeros are chosen; oneshot if --sparsity is given.
    #[arg(long, value_enum)]
    pub schedule: Option<PruneSchedule>,
    /// A dense fine-tuned directory to imitate.
    #[arg(long, value_name = "DIR")]
    pub teacher: Option<PathBuf>,
    /// The teacher's share of the loss, 0 to 1; labels have the rest.
    #[arg(long, default_value_t = 0.8, requires = "teacher")]
    pub distill_weight: f64,
    /// Divides the logits of teacher and student.
    #[arg(long, default_value_t = 2.0, requires = "teacher")]
    pub temperature: f64,
    /// Weight of the relative error of the hidden states to those of a teacher of the same shape.
    #[arg(long, default_value_t = 0.0, requires = "teacher")]
    pub hidden_weight: f64,
    /// Leave the embeddings as they are.
    #[arg(long)]
    pub freeze_embeddings: bool,
    /// Ends the run after so many minutes; the learning rate reaches zero then.
    #[arg(long, value_name = "MINUTES")]
    pub max_train_minutes: Option<f64>,
    /// Writes --out every so many minutes, and after each epoch.
    #[arg(long, value_name = "MINUTES")]
    pub save_every_minutes: Option<f64>,
}

#[derive(Args)]
pub struct Evaluate {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// SQuAD file to measure on.
    pub file: PathBuf,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// Windows that are read at once.
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Starts and ends examined per window.
    #[arg(long, default_value_t = 20)]
    pub n_best: usize,
    /// The longest answer, in tokens.
    #[arg(long, default_value_t = 30)]
    pub max_answer_len: usize,
    /// Write the predicted texts here, by question id.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
}

#[derive(Args)]
pub struct Pack {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// File to write, usually *.bspan.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How word embeddings are stored.
    #[arg(long, value_enum, default_value_t = Embeddings::I8)]
    pub embeddings: Embeddings,
    /// Pack zeros that follow neither pattern: only blocks that are all zero are left out.
    #[arg(long)]
    pub force_dense: bool,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// A line of metadata, KEY=VALUE; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Embeddings {
    /// int8 with a scale per row.
    I8,
    /// IEEE half precision.
    F16,
}

/// What `inspect` reads.
#[derive(Args)]
pub struct Inspect {
    /// Hugging Face directory.
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
}

fn pattern() -> impl TypedValueParser<Value = Pattern> {
    PossibleValuesParser::new([Pattern::OutputBlock, Pattern::InputBlock].map(Pattern::name))
        .try_map(|name| name.parse::<Pattern>())
}
