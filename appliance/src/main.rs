//! `blockspan`: answers questions from a passage, scores a packed model, shows what is in its file, times it;
//! tokenizes.
#![deny(unsafe_code)]

mod ask;
mod bench;
mod cli;
mod eval;
mod inspect;
mod model_source;
mod output;
mod passage;
mod progress;
mod runtime;
mod tokenize;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Bad input, as clap exits for a bad command line.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Ask(args) => ask::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Tokenize(args) => tokenize::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A name or a quoted text may hold a line break; the message stays one line.
            output::note(&format!("error: {}", format!("{error:#}").replace(['\n', '\r'], " ")));
            ExitCode::from(BAD_INPUT)
        }
    }
}
