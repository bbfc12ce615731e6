//! `blockspan selftest`, and the whole way of golden outputs: record on the desk, check on the box.

use std::fs;
use std::path::Path;
use std::process::Command;

use blockspan_engine::available;

use crate::common::{assert_refused, blockspan, stdout};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

/// `BLOCKSPAN_BLESS=1 cargo test --release -p blockspan --test cli selftest::recorded` writes them anew, for a new default
/// model or after a change that is meant to alter answers; the next build has them.
#[test]
fn recorded_answers_are_those_of_the_scalar_kernels() {
    let args = ["batch", &fixture("selftest.jsonl"), "--top-k", "3", "--isa", "scalar", "--sessions", "1"];
    let answers = stdout(&blockspan(&args).output().unwrap());
    let path = fixture("selftest_answers.jsonl");
    if std::env::var_os("BLOCKSPAN_BLESS").is_some() {
        fs::write(&path, &answers).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), answers);
    assert!(answers.lines().count() >= 8);
}

#[test]
fn every_instruction_set_and_number_of_threads_has_a_line() {
    let text = stdout(&blockspan(&["selftest"]).output().unwrap());
    let questions = fs::read_to_string(fixture("selftest.jsonl")).unwrap().lines().count();
    for isa in available() {
        for setup in ["threads 1", "threads 2"] {
            let line = format!("ok  {isa}, {setup}: questions {questions}");
            assert_eq!(text.lines().filter(|got| **got == line).count(), 1, "{line} in {text}");
        }
        let sessions = text.lines().filter(|line| line.starts_with(&format!("ok  {isa}, sessions ")));
        assert_eq!(sessions.count(), 1, "{text}");
    }
    assert!(text.lines().all(|line| line.starts_with("ok  ")), "{text}");

    let last = available().last().unwrap().name();
    let one = stdout(&blockspan(&["selftest", "--isa", last]).output().unwrap());
    let expected: Vec<&str> = text.lines().filter(|line| line.contains(&format!(" {last}, "))).collect();
    assert_eq!(one.lines().collect::<Vec<_>>(), expected);
    assert_refused(&blockspan(&["selftest", "--isa", "mmx"]).output().unwrap(), &["--isa mmx"]);
}

/// The README's commands, as they stand there.
#[cfg(unix)]
#[test]
fn the_readmes_way_from_the_desk_to_the_box() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## Golden outputs\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands: Vec<&str> = section
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .collect();
    assert_eq!(commands.len(), 2, "{section}");
    let directory = tempfile::tempdir().unwrap();
    fs::copy(fixture("selftest.jsonl"), directory.path().join("questions.jsonl")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_blockspan")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    // The desk and the box differ in their instruction sets.
    let machines = [available().next().unwrap(), available().last().unwrap()];
    let output = |command: &str, isa: &str| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(directory.path())
            .env("PATH", &path)
            .env("BLOCKSPAN_ISA", isa);
        shell.output().unwrap()
    };
    stdout(&output(commands[0], machines[0].name()));
    let said = stdout(&output(commands[1], machines[1].name()));
    assert_eq!(said, "8 questions equal golden.jsonl in every bit\n");

    // A box that is damaged.
    let golden = directory.path().join("golden.jsonl");
    let changed = fs::read_to_string(&golden).unwrap().replacen("\"start\":", "\"start\":1", 1);
    fs::write(&golden, changed).unwrap();
    let output = output(commands[1], machines[1].name());
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.starts_with("year: answers[0].start: expected 1") && said.contains("\n1 of 8 questions differ"),
        "{said}"
    );
}
