//! `blockspan`: answers questions from a passage, or many from files; scores a packed model, shows what is in its file, times it;
//! tokenizes.
#![deny(unsafe_code)]

mod answering;
mod ask;
mod batch;
mod bench;
mod card;
mod cli;
mod command_line;
mod compare;
mod documents;
mod encoding;
mod eval;
mod index;
mod inspect;
mod manual;
mod model_source;
mod output;
mod passage;
mod progress;
mod runtime;
mod search;
mod selftest;
#[cfg(feature = "serve")]
mod serve;
mod tokenize;
mod version;

use std::process::ExitCode;

use crate::cli::Command;
use crate::command_line::BAD_INPUT;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    #[cfg(feature = "pdf")]
    if matches!(args.as_slice(), [_, only] if only == documents::pdf::READ) {
        return documents::pdf::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let cli = match command_line::parse(&args) {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let result = match cli.command {
        Command::Ask(args) => ask::run(&args).map(|()| 0),
        Command::Batch(args) => batch::run(&args),
        Command::Index(args) => index::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args).map(|()| 0),
        Command::Eval(args) => eval::run(&args).map(|()| 0),
        Command::Inspect(args) => inspect::run(&args).map(|()| 0),
        Command::Bench(args) => bench::run(&args).map(|()| 0),
        Command::Selftest(args) => selftest::run(&args),
        Command::Tokenize(args) => tokenize::run(&args).map(|()| 0),
        Command::Completions(args) => manual::completions(&args).map(|()| 0),
        Command::Man(args) => manual::pages(&args).map(|()| 0),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            output::note(&format!("error: {error:#}"));
            ExitCode::from(BAD_INPUT)
        }
    }
}
