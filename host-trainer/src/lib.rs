//! Fine-tunes, prunes and evaluates BERT for question answering, and packs it for the engine.
#![forbid(unsafe_code)]
// These panic when nobody reads any more: `output::print` and `output::note` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod calibration;
pub mod card;
pub mod checkpoint;
pub mod config;
pub mod errors;
pub mod evaluate;
pub mod features;
mod files;
pub mod inspect;
pub mod model;
mod notes;
pub mod ops;
pub mod output;
pub mod pack;
pub mod prune;
pub mod quantization;
pub mod startup;
pub mod threshold;
pub mod tokenizer;
pub mod train;
pub mod unpack;
pub mod verify;
