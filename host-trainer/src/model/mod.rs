//! A differentiable BERT with a question-answering head.

mod bert;
mod variables;

pub use bert::{BertForQuestionAnswering, Input, Output};
pub use variables::Variables;
