//! How long and how fast to train, and when to save.

use clap::Args;

#[derive(Args)]
pub struct RunArgs {
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
    /// Decides the order of the data and the fresh head.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
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
