//! `blockspan-trainer`: fine-tune, evaluate and pack.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
