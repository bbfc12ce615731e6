//! The training loop, what it saves and what it shows.

pub mod exchange;
mod interrupt;
pub mod loss;
mod measure;
mod memory;
pub mod metrics;
pub mod optimizer;
mod options;
mod order;
mod progress;
pub mod report;
pub mod schedule;
mod session;
mod setup;
mod state;
mod store;
mod tensors;

pub use exchange::{Alone, Exchange};
pub use interrupt::{Interrupt, exit_status};
pub use options::{Options, Pruning, Report, Saving};
pub use session::{Fits, Runtime, finetune};
