//! A differentiable BERT with a question-answering head.

mod bert;
mod layer;
mod variables;

pub use bert::{BertForQuestionAnswering, Input, Output};
pub use layer::DropoutRates;
pub use variables::Variables;
