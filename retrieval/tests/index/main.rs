//! Indexes as programs make and read them.

mod build;
mod common;
mod hostile;
mod search;
mod update;
