//! The training loop.

mod progress;
mod session;

pub use progress::Progress;
pub use session::{Options, Pruning, Report, finetune};
