//! A run under way: the loop over the steps, and its bookkeeping.

mod checkpoints;
mod log;
mod runtime;
mod start;
mod summary;
mod training_run;

pub use runtime::{Fits, Runtime};
pub use start::finetune;
