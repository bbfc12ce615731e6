//! The command as its users meet it: the built binary, its output, its exit status.

mod answerable;
mod ask;
mod ask_documents;
mod batch;
mod batch_expect;
mod batch_input;
mod batch_parquet;
mod batch_resume;
mod bench;
mod common;
mod eval;
mod help;
mod hostile_text;
mod hyphens;
mod index;
mod inspect;
mod manual;
mod packed;
#[cfg(feature = "pdf")]
mod pdf;
#[cfg(feature = "pdf")]
mod pdf_writer;
mod refusals;
mod selftest;
#[cfg(target_os = "linux")]
mod terminal;
mod tokenize;
