//! Logs on stderr: a line for each event, for people or in JSON.

use std::io::{self, IsTerminal};
use std::panic;

use crate::cli::{LogArgs, LogFormat};
use crate::output::printable;

/// Starts logging. Texts of requests, headers and keys are never logged.
pub fn start(args: &LogArgs) {
    let lines =
        tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(args.log_level).with_target(false);
    // It was not started before: this is called once.
    match args.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    // A panic ends one request, or one job; it is logged like everything else.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = printable(panic.payload_as_str().unwrap_or("a panic"));
        tracing::error!(place, "internal error: {message}; please report it");
    }));
}
