//! Finds the passages of many documents that a question is about.
//!
//! * [`Builder`] takes documents, cuts them into passages of some 100 to 200 words and writes an index: one file that holds
//!   the documents' texts, too, so that an answer can be shown where the documents are not;
//! * [`Index`] checks the bytes of one, from memory or a mapped file, and uses them in place;
//! * [`Index::search`] gives the best passages for a question, by BM25 over stems;
//! * [`sentences`] cuts a text into sentences, for whoever shows one.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod analysis;
mod builder;
mod cut;
mod error;
mod format;
mod index;
mod postings;
mod search;
pub mod sentences;
mod stop_words;

pub use builder::{Builder, Layout, Places, Source, Stamp, TooLarge};
pub use error::{IndexError, Section};
pub use format::{MAGIC, VERSION};
pub use index::{Document, Index, Passage};
pub use search::{Hit, SearchOptions};
