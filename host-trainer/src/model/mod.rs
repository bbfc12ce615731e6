//! A differentiable BERT with a question-answering head, of the modules of candle-nn as far as these can train it.

mod bert;
mod dropout;
mod embeddings;
mod input;
mod layer;
mod modules;
mod recompute;
mod variables;

pub use bert::{BertForQuestionAnswering, Output};
pub use dropout::{DropoutKey, DropoutRates};
pub use input::Input;
pub use variables::Variables;
