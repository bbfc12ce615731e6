//! Fine-tunes, prunes and evaluates BERT for question answering, and packs it for the engine.
#![forbid(unsafe_code)]

pub mod allocator;
pub mod batches;
pub mod checkpoint;
pub mod config;
pub mod evaluate;
pub mod features;
pub mod hub;
pub mod inspect;
pub mod loss;
pub mod model;
pub mod ops;
pub mod optimizer;
pub mod pack;
pub mod pattern;
pub mod prune;
pub mod schedule;
pub mod smoothing;
pub mod tokenizer;
pub mod train;
pub mod verify;
