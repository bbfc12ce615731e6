//! The program, run in a directory with the words of a line.

use std::path::Path;
use std::process::{Command, Output};

/// What came of a run.
pub fn run(root: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    command.current_dir(root).args(line.split_whitespace()).output().expect("the binary runs")
}

/// What a run that must succeed prints on standard output.
pub fn succeeds(root: &Path, line: &str) -> String {
    let output = run(root, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
