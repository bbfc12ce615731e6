//! From questions to windows of tokens, and from windows to padded batches.

mod batch;
mod windows;

pub use batch::{Batch, by_length};
pub use windows::{Feature, Labels, WindowOptions, features, windows_without_answer};
