//! SQuAD files, exact match and F1.
//!
//! [`Dataset::read`] takes files in the shape of SQuAD v1.1 and v2.0; [`evaluate`] scores predictions as
//! the official scripts of those versions do.

mod dataset;
mod error;
pub mod metrics;
mod null;
pub mod twin;

pub use dataset::{Answer, Dataset, Paragraph, Question};
pub use error::Error;
pub use metrics::{Scores, evaluate};
pub use null::{Best, NullScores, evaluate_null};
pub use twin::other_paragraph;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
