//! Hugging Face model directories: weights, `config.json` and the tokenizer's files.

pub mod hub;
mod load;
mod reader;
mod save;

pub use load::{Parameters, load, load_base, load_fine_tuned};
pub use reader::{Reader, parts, weight_file};
pub use save::save;
