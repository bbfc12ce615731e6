//! The program, run in a directory with the words of a line.

#![allow(dead_code, reason = "each test includes this file and uses what it needs")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with the words of `line` as its arguments, and nothing on standard input.
pub fn trainer(root: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    command.current_dir(root).args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// What came of a run.
pub fn run(root: &Path, line: &str) -> Output {
    trainer(root, line).output().expect("the binary runs")
}

/// What a run that must succeed prints on standard output.
#[track_caller]
pub fn succeeds(root: &Path, line: &str) -> String {
    let output = run(root, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
