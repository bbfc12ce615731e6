//! Answers questions from a passage with a packed block-sparse BERT: no std, no allocator, one file.
//!
//! * [`Model`]: a `*.bspan` file, checked and used in place;
//! * [`Session`]: answers in the caller's workspace; [`Sequences`]: what it reads;
//! * [`tokenizer`]: BERT's WordPiece from the packed file;
//! * [`span`]: from logits to spans;
//! * [`format`]: the file's layout, for those who write it.
//!
//! With the feature `std`, [`MappedFile`] maps a file, [`AlignedBytes`] reads one into memory, and [`ThreadPool`]
//! spreads the work over threads.
//!
#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "std")]
mod aligned;
mod answer;
mod answerable;
mod checksum;
mod decimal;
mod error;
#[cfg(feature = "std")]
mod file;
pub mod format;
mod forward;
mod model;
mod sequences;
mod session;
pub mod span;
pub mod tokenizer;
mod utf8;
mod windows;
mod workspace;

#[cfg(feature = "std")]
pub use aligned::AlignedBytes;
pub use answer::{Answer, AnswerOptions, Outcome};
pub use answerable::Answerable;
pub use blockspan_kernels::math::exp;
#[cfg(feature = "std")]
pub use blockspan_kernels::parallel::ThreadPool;
pub use blockspan_kernels::parallel::{MAX_THREADS, Parallel, Serial};
pub use blockspan_kernels::{Isa, Kernels, Trusted, available, best, kernels_for};
pub use checksum::xxh64;
pub use error::{Error, ParseError};
#[cfg(feature = "std")]
pub use file::MappedFile;
pub use model::{MAX_LAYERS, Model};
pub use sequences::Sequences;
pub use session::{Runtime, Session};
pub use windows::Sequence;
pub use workspace::WorkspaceSpec;
