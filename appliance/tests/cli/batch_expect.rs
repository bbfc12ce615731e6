//! `blockspan batch --expect FILE`: answers beside those that were recorded elsewhere.

use std::fs;

use crate::batch::questions;
use crate::common::{TempFile, assert_refused, blockspan, stdout};

/// Questions, and their answers as recorded.
fn recorded() -> (TempFile, String) {
    let file = TempFile::new("questions.jsonl", questions(12).as_bytes());
    let golden = file.directory.path().join("golden.jsonl").to_str().unwrap().to_owned();
    stdout(&blockspan(&["batch", file.name(), "--out", &golden, "--isa", "scalar"]).output().unwrap());
    (file, golden)
}

#[test]
fn equal_output_is_said_to_be_equal_and_nothing_else_is_printed() {
    let (file, golden) = recorded();
    let text = stdout(&blockspan(&["batch", file.name(), "--expect", &golden]).output().unwrap());
    assert_eq!(text, format!("12 questions equal {golden} in every bit\n"));
}

#[test]
fn one_bit_is_found_and_named_by_id_and_field() {
    let (file, golden) = recorded();
    let text = fs::read_to_string(&golden).unwrap();
    let mut lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let score = lines[7]["answers"][0]["start_logit"].as_f64().unwrap() as f32;
    let neighbor = f32::from_bits(score.to_bits() ^ 1);
    lines[7]["answers"][0]["start_logit"] =
        serde_json::from_str(&serde_json::to_string(&neighbor).unwrap()).unwrap();
    lines[9]["answers"][0]["text"] = "1863".into();
    let changed: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    fs::write(&golden, changed).unwrap();

    let output = blockspan(&["batch", file.name(), "--expect", &golden]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Vec<&str> = text.lines().collect();
    assert_eq!(told.len(), 3, "{text}");
    let logit = |value: f32| serde_json::to_string(&value).unwrap();
    assert_eq!(
        told[0],
        format!("q7: answers[0].start_logit: expected {}, got {}", logit(neighbor), logit(score))
    );
    assert!(told[1].starts_with("q9: answers[0].text: expected \"1863\", got \""), "{text}");
    assert_eq!(told[2], format!("2 of 12 questions differ from {golden}, in 2 fields"));
}

#[test]
fn many_differences_are_counted_and_missing_questions_told() {
    let (file, golden) = recorded();
    let shorter: String = fs::read_to_string(&golden)
        .unwrap()
        .replace("\"id\":\"q", "\"id\":\"p")
        .split_inclusive('\n')
        .take(11)
        .collect();
    fs::write(&golden, shorter).unwrap();
    let out = file.directory.path().join("out.jsonl");
    let mut command = blockspan(&["batch", file.name(), "--expect", &golden, "--out"]);
    let output = command.arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Vec<&str> = text.lines().collect();
    assert_eq!(told.len(), 13, "{text}");
    assert_eq!(told[0], "p0: id: expected \"p0\", got \"q0\"");
    assert_eq!(
        told[10..12],
        ["and 1 more", &format!("11 of 11 questions differ from {golden}, in 11 fields")]
    );
    assert_eq!(told[12], "1 questions are in one of the two only");
    // The answers are written all the same.
    assert_eq!(fs::read_to_string(out).unwrap().lines().count(), 12);
}

#[test]
fn what_is_expected_must_be_output() {
    let file = TempFile::new("questions.jsonl", questions(1).as_bytes());
    let golden = file.directory.path().join("golden.txt");
    fs::write(&golden, "hello\n").unwrap();
    let args = ["batch", file.name(), "--expect", golden.to_str().unwrap()];
    assert_refused(&blockspan(&args).output().unwrap(), &["golden.txt, line 1: not JSON", "give a file"]);
}
