//! Answers questions from passages on all cores: what the command, the service and the bindings share.
//!
//! * [`SharedModel`]: a model and its bytes, shared by everyone who uses it;
//! * [`Reader`]: sessions on threads of their own behind one queue: [`Reader::answer`] for a question,
//!   [`Reader::answer_many`] for a stream of them in order, [`Reader::rank`] for a question and many documents,
//!   [`Reader::try_submit`] for programs that must not wait;
//! * [`Options`]: which windows, how many answers, and whose rules: those of `blockspan ask`, or those of Hugging Face's
//!   question-answering pipeline;
//! * [`positions`]: bytes of a text as characters and UTF-16 code units.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod builder;
mod decode;
mod error;
mod gather;
mod job;
mod merge;
mod model;
mod offsets;
mod queue;
mod rank;
mod reader;
mod reading;
mod reply;
mod slot;
mod stream;
mod sync;
mod ticket;
mod worker;
#[cfg(test)]
mod worker_tests;

pub use blockspan_engine as engine;
pub use builder::{Builder, Mode, cores};
pub use error::{BuildError, Error, QueueFull};
pub use job::{Decoding, Job, Options, PipelineOptions};
pub use merge::merge;
pub use model::{ModelBytes, SharedModel};
pub use offsets::{Position, positions};
pub use rank::{RankOptions, RankedAnswer, Ranking};
pub use reader::Reader;
pub use reply::{Answer, Reply};
pub use stream::Replies;
pub use ticket::{Ticket, Times};
