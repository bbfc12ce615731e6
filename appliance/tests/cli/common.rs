//! Runs the command.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use blockspan_engine::xxh64;
use serde_json::Value;

pub use crate::packed::{default_model, with_card};

pub const PASSAGE: &str =
    "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.";
pub const QUESTION: &str = "When was the lighthouse built?";

/// The default model with the bytes of one section changed, and its checksums made to fit.
pub fn with_section(name: &str, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut file = std::fs::read(default_model()).unwrap();
    let report = stdout(&blockspan(&["inspect", "--json"]).output().unwrap());
    let report: Value = serde_json::from_str(&report).unwrap();
    let sections = report["sections"].as_array().unwrap();
    let number = sections.iter().position(|section| section["name"] == name).unwrap();
    let figure = |key: &str| sections[number][key].as_u64().unwrap() as usize;
    let section = &mut file[figure("offset")..][..figure("bytes")];
    change(section);
    let sum = xxh64(section);
    file[128 + 32 * number + 24..][..8].copy_from_slice(&sum.to_le_bytes());
    let sum = xxh64(&file[..120]) ^ xxh64(&file[128..128 + 32 * sections.len()]).rotate_left(1);
    file[120..128].copy_from_slice(&sum.to_le_bytes());
    file
}

/// The default model without what its card says.
pub fn without_card() -> TempFile {
    TempFile::new("model.bspan", &with_card(""))
}

/// The command, with nothing on standard input and without the caller's overrides.
pub fn blockspan(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan"));
    command.args(args).env_remove("BLOCKSPAN_ISA").stdin(Stdio::null());
    command
}

/// Runs with `stdin` as standard input.
pub fn piped(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // From a thread: the command may print more than a pipe holds before it has read everything.
    std::thread::scope(|scope| {
        // The command may refuse its arguments and end before it reads.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().unwrap()
    })
}

/// What a run that must succeed prints on stdout.
#[track_caller]
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs `ask --json` on a passage.
#[track_caller]
pub fn ask(question: &str, passage: &str, more: &[&str]) -> Value {
    let mut args = vec!["ask", question, "--context", passage, "--json"];
    args.extend(more);
    serde_json::from_str(&stdout(&blockspan(&args).output().unwrap())).unwrap()
}

/// With one of these a message tells what to do.
const REMEDIES: [&str; 24] = [
    "ask ",
    "build ",
    "convert ",
    "copy ",
    "correct ",
    "expected ",
    "fetch ",
    "give ",
    "lower ",
    "make ",
    "name ",
    "pack ",
    "pipe ",
    "print ",
    "raise ",
    "recognize ",
    "remove ",
    "save ",
    "send ",
    "shorten ",
    "split ",
    "unpack ",
    "use ",
    "write ",
];

/// Demands what every refusal promises, and that its line names each of `parts`.
#[track_caller]
pub fn assert_refused(output: &Output, parts: &[&str]) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(stderr.starts_with("error: ") && stderr.ends_with('\n'), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let remedy = |remedy: &&str| {
        [": ", "; ", ", ", " and "].iter().any(|before| stderr.contains(&format!("{before}{remedy}")))
    };
    assert!(REMEDIES.iter().any(remedy), "no remedy in: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
}

/// A file in a directory of its own.
pub struct TempFile {
    pub directory: tempfile::TempDir,
    pub path: PathBuf,
}

impl TempFile {
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self { directory, path }
    }

    pub fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}
