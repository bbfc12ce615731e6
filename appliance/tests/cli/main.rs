//! The command as its users meet it: the built binary, its output, its exit status.

mod ask;
mod common;
mod eval;
mod inspect;
mod refusals;
