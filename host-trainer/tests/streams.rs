//! Standard input and output: what happens when nobody reads, and `-` in place of a file.

#![cfg(unix)]

#[path = "common/command.rs"]
mod command;
mod common;

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

use command::{succeeds, trainer};
use tempfile::TempDir;

const FINETUNE: &str = "finetune --base base --train data.json --epochs 10 --batch-size 2 --lr 1e-3 --seed 7";

/// A command of each kind that prints a result; `packed.bspan` is the model of `base`.
const PRINTING: [&str; 5] = [
    "inspect base",
    "pack --model base --out again.bspan",
    "evaluate --model base data.json",
    "verify --model base --packed packed.bspan data.json",
    "verify --model base --packed packed.bspan data.json --json",
];

fn workplace() -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    succeeds(root.path(), "pack --model base --out packed.bspan");
    root
}

/// The writing end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let root = workplace();
    let finetune = format!("{FINETUNE} --out out");
    for line in PRINTING.into_iter().chain([&finetune[..]]) {
        let output = trainer(root.path(), line).stdout(unread()).output().expect("the binary runs");
        succeeded(&output);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_one_line() {
    let root = workplace();
    let finetune = format!("{FINETUNE} --epochs 1 --out out").replace("--epochs 10 ", "");
    for line in PRINTING.into_iter().chain([&finetune[..]]) {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let output = trainer(root.path(), line).stdout(full).output().expect("the binary runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        let error = message.lines().last().expect("a message");
        assert!(
            error.starts_with("error: standard output: cannot write: No space left"),
            "{line}: {message}"
        );
    }
}

#[test]
fn a_run_whose_progress_nobody_reads_goes_on_to_its_end() {
    let root = workplace();
    let root = root.path();
    succeeded(&trainer(root, &format!("{FINETUNE} --out whole")).output().expect("the binary runs"));
    let weights = |out: &str| std::fs::read(root.join(out).join("model.safetensors")).expect("weights");
    let mut outs = vec![("unread", unread())];
    if cfg!(target_os = "linux") {
        outs.push(("full", OpenOptions::new().write(true).open("/dev/full").expect("/dev/full").into()));
    }
    for (out, stderr) in outs {
        let status = trainer(root, &format!("{FINETUNE} --out {out}"))
            .stdout(Stdio::null())
            .stderr(stderr)
            .status()
            .expect("the binary runs");
        assert!(status.success(), "{out}: {status:?}");
        assert!(weights(out) == weights("whole"), "{out}");
    }
}

#[test]
fn a_dash_is_standard_output() {
    let root = workplace();
    let root = root.path();
    let packed = trainer(root, "pack --model base --out -").output().expect("the binary runs");
    succeeded(&packed);
    assert!(packed.stdout == std::fs::read(root.join("packed.bspan")).expect("a file"), "another file");
    let message = String::from_utf8_lossy(&packed.stderr);
    assert!(message.contains("standard output: ") && message.contains(" bytes, 12 matrices"), "{message}");

    let line = "evaluate --model base data.json --predictions";
    let answered = trainer(root, &format!("{line} -")).output().expect("the binary runs");
    succeeded(&answered);
    succeeded(&trainer(root, &format!("{line} predictions.json")).output().expect("the binary runs"));
    assert_eq!(answered.stdout, std::fs::read(root.join("predictions.json")).expect("predictions"));
    assert!(String::from_utf8_lossy(&answered.stderr).contains("EM "), "{answered:?}");
    assert!(!root.join("-").exists());
}

#[test]
fn a_dash_is_standard_input() {
    let root = workplace();
    let root = root.path();
    let data = || std::fs::File::open(root.join("data.json")).expect("data.json");
    let line = "evaluate --model base data.json";
    let expected = trainer(root, line).output().expect("the binary runs");
    let dash =
        trainer(root, &line.replace("data.json", "-")).stdin(data()).output().expect("the binary runs");
    succeeded(&dash);
    assert_eq!(dash.stdout, expected.stdout);
    let train = format!("{FINETUNE} --out out").replace("data.json", "-");
    succeeded(&trainer(root, &train).stdin(data()).output().expect("the binary runs"));
    let card = std::fs::read_to_string(root.join("out/card.json")).expect("a card");
    assert!(card.contains(r#""training_data": "standard input""#), "{card}");

    std::fs::write(root.join("card.json"), r#"{"license": "MIT"}"#).expect("a card");
    let card = std::fs::File::open(root.join("card.json")).expect("a card");
    let pack = trainer(root, "pack --model base --out carded.bspan --card -").stdin(card).output();
    succeeded(&pack.expect("the binary runs"));
    let packed = std::fs::read(root.join("carded.bspan")).expect("a file");
    assert!(packed.windows(12).any(|part| part == b"license: MIT"), "no license in the file");

    let twice = trainer(root, &format!("{train} --eval -")).stdin(data()).output().expect("the binary runs");
    let message = String::from_utf8_lossy(&twice.stderr);
    assert_eq!(twice.status.code(), Some(2), "{message}");
    assert!(message.contains("standard input can be read only once"), "{message}");
}

#[test]
fn pack_replaces_no_pipe_and_writes_through_a_link() {
    let root = workplace();
    let root = root.path();
    assert!(Command::new("mkfifo").arg(root.join("fifo")).status().expect("mkfifo").success());
    let (other, directory) = ("not a regular file; name another", "it is a directory; name a file in it");
    for (out, reason) in [("fifo", other), ("/dev/null", other), ("base", directory)] {
        let output =
            trainer(root, &format!("pack --model base --out {out}")).output().expect("the binary runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert_eq!(message.trim_end(), format!("error: {out}: cannot write: {reason}"));
    }
    std::os::unix::fs::symlink("target.bspan", root.join("link.bspan")).expect("a link");
    succeeded(&trainer(root, "pack --model base --out link.bspan").output().expect("the binary runs"));
    assert!(root.join("link.bspan").symlink_metadata().expect("a link").is_symlink());
    let read = |name: &str| std::fs::read(root.join(name)).expect("a file");
    assert!(read("target.bspan") == read("packed.bspan"));
    let output = trainer(root, "pack --model base --out missing/x.bspan").output().expect("the binary runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        message.trim_end(),
        "error: missing/x.bspan: cannot write: No such file or directory (os error 2)"
    );
}
