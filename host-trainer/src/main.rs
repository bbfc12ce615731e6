//! `blockspan-trainer`: fine-tune, evaluate and pack.
#![forbid(unsafe_code)]
// These panic when nobody reads any more: `output::print` and `output::note` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
