//! Fine-tunes, prunes and evaluates BERT for question answering, and packs it for the engine.
#![forbid(unsafe_code)]

pub mod allocator;
pub mod calibration;
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
pub mod pack;
pub mod prune;
pub mod quantization;
pub mod tokenizer;
pub mod train;
pub mod verify;
