//! How long and how fast to train, and when to save.

use anyhow::{Result, ensure};
use blockspan_trainer::train::Saving;
use blockspan_trainer::train::exchange::Backend;
use blockspan_trainer::train::schedule::{Decay, Schedule};
use candle_core::DType;
use clap::{Args, ValueEnum};

use crate::cli::check::{minutes, positive, share, whole};

#[derive(Args)]
pub struct RunArgs {
    /// Passes over the data
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = whole, alias = "num_train_epochs")]
    pub epochs: usize,
    /// Steps of the optimizer, in place of --epochs
    #[arg(long, value_name = "N", alias = "max_steps")]
    pub max_steps: Option<usize>,
    /// The highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = 1e-4, alias = "learning_rate")]
    pub lr: f64,
    /// The share of the run in which the learning rate rises
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, alias = "warmup_ratio")]
    pub warmup: f64,
    /// How the learning rate falls afterwards
    #[arg(long, value_name = "NAME", value_enum, default_value_t = LrDecay::Linear, alias = "lr_scheduler_type")]
    pub lr_decay: LrDecay,
    /// Decay of weights per step, times the learning rate
    #[arg(long, value_name = "RATE", default_value_t = 0.01, alias = "weight_decay")]
    pub weight_decay: f64,
    /// The gradient's norm is cut to this
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0, alias = "max_grad_norm")]
    pub max_grad_norm: f64,
    /// Windows that the network reads at once
    #[arg(long, value_name = "N", default_value_t = 16, alias = "per_device_train_batch_size")]
    pub batch_size: usize,
    /// Batches that make one step
    #[arg(long, value_name = "N", default_value_t = 1, alias = "gradient_accumulation_steps")]
    pub gradient_accumulation: usize,
    /// Processes that share the windows of a step: this one starts the others, on this machine. Without the flag, as many
    /// as torchrun, mpirun or srun started. --batch-size counts for each of them
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// What takes gradients from worker to worker [default: nccl on GPUs and mpi under mpirun, in a build with the feature
    /// of that name, else tcp]
    #[arg(long, value_name = "NAME", value_enum)]
    pub backend: Option<BackendName>,
    /// Keep less for the backward pass, which computes each layer once more: a fraction of the memory, a third more time, the
    /// same result
    #[arg(long, alias = "gradient_checkpointing")]
    pub recompute: bool,
    /// Halve the batch, but not the step, when the device runs out of memory
    #[arg(long, alias = "auto_find_batch_size")]
    pub auto_batch_size: bool,
    /// The share of hidden values that is dropped by chance [default: that of config.json]
    #[arg(long, value_name = "SHARE")]
    pub hidden_dropout: Option<f64>,
    /// The share of attention probabilities that is dropped by chance [default: that of config.json]
    #[arg(long, value_name = "SHARE")]
    pub attention_dropout: Option<f64>,
    /// What products are computed in, on a GPU activations too; weights are kept in f32.
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Dtype::F32)]
    pub dtype: Dtype,
    /// As --dtype bf16
    #[arg(long, hide = true, conflicts_with = "dtype")]
    pub bf16: bool,
    /// Quantization-aware: train with weights and activations on the int8 grids of the packed model.
    #[arg(long)]
    pub qat: bool,
    /// Decides the order of the data, what dropout drops and the fresh head.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Leave the embeddings as they are.
    #[arg(long)]
    pub freeze_embeddings: bool,
    /// Ends the run after so many minutes; the learning rate reaches zero then.
    #[arg(long, value_name = "MINUTES")]
    pub max_train_minutes: Option<f64>,
    /// Measure on --eval every so many steps; the best checkpoint is kept.
    #[arg(long, value_name = "N", requires = "eval", alias = "eval_steps")]
    pub eval_every: Option<usize>,
    /// Save a checkpoint every so many steps; each epoch ends with one.
    #[arg(long, value_name = "N", alias = "save_steps")]
    pub save_every: Option<usize>,
    /// Save a checkpoint every so many minutes.
    #[arg(long, value_name = "MINUTES")]
    pub save_every_minutes: Option<f64>,
    /// Checkpoints that are kept, besides the best.
    #[arg(long, value_name = "N", default_value_t = 2, alias = "save_total_limit")]
    pub keep: usize,
    /// Go on from the newest checkpoint in --out, also with more --epochs or --max-steps than before; begin if there is
    /// none
    #[arg(long)]
    pub resume: bool,
    /// Remove the checkpoints of an earlier run in --out.
    #[arg(long, conflicts_with = "resume", alias = "overwrite_output_dir")]
    pub overwrite: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum BackendName {
    /// Connections of its own.
    Tcp,
    /// MPI; needs a build with `--features mpi`.
    Mpi,
    /// NVIDIA's NCCL, between GPUs; needs a build with `--features nccl`. Untested.
    Nccl,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 16 bits with the exponent of f32; on a GPU, or a CPU with AVX-512 BF16.
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LrDecay {
    /// In a straight line.
    Linear,
    /// Half a wave of the cosine.
    Cosine,
}

impl RunArgs {
    /// Rates of dropout that replace those of the configuration.
    pub fn dropout(&self) -> Result<(Option<f64>, Option<f64>)> {
        let rate = |name: &str, value: Option<f64>| -> Result<Option<f64>> {
            if let Some(rate) = value {
                ensure!((0.0..1.0).contains(&rate), "{name} {rate}: give a share from 0 to below 1");
            }
            Ok(value)
        };
        Ok((
            rate("--hidden-dropout", self.hidden_dropout)?,
            rate("--attention-dropout", self.attention_dropout)?,
        ))
    }

    /// The backend, as the library names it.
    pub fn backend(&self) -> Option<Backend> {
        self.backend.map(|name| match name {
            BackendName::Tcp => Backend::Tcp,
            BackendName::Mpi => Backend::Mpi,
            BackendName::Nccl => Backend::Nccl,
        })
    }

    /// The number format, as candle names it.
    pub fn dtype(&self) -> DType {
        match self.dtype {
            Dtype::F32 if !self.bf16 => DType::F32,
            Dtype::F32 | Dtype::Bf16 => DType::BF16,
        }
    }

    /// The learning rate's course, as the library takes it.
    pub fn schedule(&self) -> Result<Schedule> {
        Ok(Schedule {
            peak: positive("--lr", self.lr)?,
            warmup: share("--warmup", self.warmup)?,
            decay: match self.lr_decay {
                LrDecay::Linear => Decay::Linear,
                LrDecay::Cosine => Decay::Cosine,
            },
        })
    }

    /// The checkpoints, as the library takes them.
    pub fn saving(&self) -> Result<Saving> {
        Ok(Saving {
            every_steps: self.save_every,
            every: self.save_every_minutes.map(|m| minutes("--save-every-minutes", m)).transpose()?,
            keep: self.keep,
            resume: self.resume,
            overwrite: self.overwrite,
        })
    }
}
