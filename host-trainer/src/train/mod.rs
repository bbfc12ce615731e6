//! The training loop, what it saves and what it shows.

mod evaluator;
pub mod exchange;
mod interrupt;
mod learner;
pub mod loss;
mod memory;
pub mod metrics;
pub mod optimizer;
mod options;
mod order;
mod progress;
pub mod report;
mod run;
pub mod schedule;
mod setup;
mod state;
mod store;
mod teacher;
mod tensors;
pub mod unanswerable;

pub use exchange::{Exchange, SingleWorker};
pub use interrupt::{Interrupt, exit_status};
pub use options::{FinetuneOptions, FinetuneReport, Pruning, Saving};
pub use run::{Fits, Runtime, finetune};
