//! Hugging Face model directories: `model.safetensors`, `config.json` and the tokenizer's files.

mod load;
mod save;

pub use load::{Parameters, load};
pub use save::{save, write_atomically};
