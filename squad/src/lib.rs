#![doc = include_str!("../README.md")]

mod answers;
mod dataset;
mod error;
pub mod metrics;
mod null;
pub mod outputs;
mod place;
mod prediction;
mod printable;
pub mod python;
mod read;
pub mod report;
mod separation;
pub mod twin;

pub use dataset::{Answer, Dataset, Paragraph, Question};
pub use error::Error;
pub use metrics::{Scores, evaluate};
pub use null::{Best, NullScores, evaluate_null};
pub use place::Place;
pub use prediction::{NBest, NullLogits, Prediction, Span};
pub use printable::{printable, printable_json, printable_lines};
pub use report::Report;
pub use separation::{Separation, auroc, separation};
pub use twin::{other_paragraph, twins};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
