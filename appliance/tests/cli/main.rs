//! The command as its users meet it: the built binary, its output, its exit status.

mod ask;
mod bench;
mod common;
mod eval;
mod inspect;
mod refusals;
mod tokenize;
