//! A differentiable BERT with a question-answering head.

mod bert;
mod variables;

pub use bert::{BertForQuestionAnswering, DropoutRates, Input, Output};
pub use variables::Variables;
