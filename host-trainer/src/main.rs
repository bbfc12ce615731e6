//! `blockspan-trainer`: fine-tune, evaluate and pack.
#![forbid(unsafe_code)]

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
