//! From the program's arguments to a command; what clap says to people.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::output::{self, printable, printable_lines};
use crate::version;

/// Bad input, as clap exits for a bad command line.
pub const BAD_INPUT: u8 = 2;

/// What the arguments ask for; or, where help, the version or an error was printed, the exit status.
pub fn parse(args: &[OsString]) -> Result<Cli, ExitCode> {
    // It takes a while to put together. clap wants a text that lives as long as the program.
    let version = args.iter().any(|arg| arg == "--version").then(|| &*version::long().leak());
    read(args, version).map_err(|error| say(&error, args))
}

fn read(args: &[OsString], version: Option<&'static str>) -> Result<Cli, clap::Error> {
    let new = || match version {
        Some(version) => Cli::command().long_version(version),
        None => Cli::command(),
    };
    let parse = |mut command: clap::Command| {
        let matches = command.try_get_matches_from_mut(args)?;
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    };
    // Texts may begin with a hyphen. But a question that looks like an option was meant as one, and clap, told that
    // questions do not begin so, knows best what to say of it.
    let lenient = parse(new());
    let option_as_question = match &lenient {
        Ok(Cli { command: Command::Ask(ask) }) => looks_like_an_option(&ask.question),
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::UnknownArgument && !is_about_an_option(error),
    };
    let parsed = if option_as_question {
        let strict = parse(new().mut_subcommand("ask", |ask| {
            ask.mut_arg("question", |question| question.allow_hyphen_values(false))
        }));
        match strict {
            Err(error) if lenient.is_err() && !is_about_an_option(&error) => lenient,
            strict => strict,
        }
    } else {
        lenient
    };
    let cli = parsed?;
    let mut command = new();
    command.build();
    match forgotten_passage(&mut command, &cli) {
        Some(error) => Err(error),
        None => Ok(cli),
    }
}

/// One word that begins with hyphens and a letter.
fn looks_like_an_option(text: &str) -> bool {
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'));
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
        && !text.contains(char::is_whitespace)
}

/// Whether the error says that there is no such option.
fn is_about_an_option(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if looks_like_an_option(name))
}

/// What is wrong with a passage that is one of the command's own options: its text was forgotten.
fn forgotten_passage(command: &mut clap::Command, cli: &Cli) -> Option<clap::Error> {
    let Command::Ask(ask) = &cli.command else { return None };
    let text = ask.passage.context.as_ref()?;
    let command = command.find_subcommand_mut("ask").filter(|command| is_option_of(command, text))?;
    let message = format!(
        "'--context <TEXT>' is followed by the option '{text}'; put the passage between them, or pipe it in if \
         '{text}' is the passage"
    );
    Some(command.error(ErrorKind::InvalidValue, message))
}

/// Whether `text` is an option that `command` has: `-h`, `--json`, `--threads=2`, `--`.
fn is_option_of(command: &clap::Command, text: &str) -> bool {
    let Some(name) = text.strip_prefix('-') else { return false };
    match name.strip_prefix('-') {
        Some(long) => {
            let long = long.split_once('=').map_or(long, |(long, _)| long);
            matches!(long, "" | "help") || command.get_arguments().any(|arg| arg.get_long() == Some(long))
        }
        None => {
            let mut letters = name.chars();
            let short = letters.next().filter(|_| letters.next().is_none());
            short == Some('h')
                || short.is_some() && command.get_arguments().any(|arg| arg.get_short() == short)
        }
    }
}

/// Prints help, the version or the error.
fn say(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        return match output::delivered(error.print().and_then(|()| io::stdout().flush())) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                output::note(&format!("error: {error:#}"));
                ExitCode::from(BAD_INPUT)
            }
        };
    }
    // clap quotes arguments as they are, and a name may come from a stranger.
    let shown: Vec<OsString> = args.iter().map(|arg| printable(&arg.to_string_lossy()).into()).collect();
    match read(&shown, None) {
        Err(error) if error.use_stderr() => drop(error.print()),
        _ => drop(write!(io::stderr(), "{}", printable_lines(&error.render().to_string()))),
    }
    ExitCode::from(BAD_INPUT)
}
