//! `threshold`: what it chooses, what it writes, and what it leaves alone.

#[path = "common/command.rs"]
mod command;
mod common;

use std::path::Path;

use anyhow::Result;
use blockspan_engine::format::Kind;
use blockspan_engine::{AlignedBytes, Answer, AnswerOptions, Model, Session};
use blockspan_squad::{Dataset, twins};

use command::{run, succeeds};

/// Two articles, whose questions have no answer in their other paragraphs.
const DATA: &str = r#"{"data": [
  {"title": "cats", "paragraphs": [
    {"context": "the red cat sat on a mat .", "qas": [
      {"id": "1", "question": "who sat ?", "answers": [{"text": "the red cat", "answer_start": 0}]},
      {"id": "2", "question": "where did the cat ?", "answers": [{"text": "a mat", "answer_start": 19}]}]},
    {"context": "the blue bird flew under the sky .", "qas": [
      {"id": "3", "question": "who flew ?", "answers": [{"text": "the blue bird", "answer_start": 0}]}]}]},
  {"title": "dogs", "paragraphs": [
    {"context": "two dogs ran , one green tree .", "qas": [
      {"id": "4", "question": "what ran ?", "answers": [{"text": "two dogs", "answer_start": 0}]}]},
    {"context": "a blue tree on a mat .", "qas": [
      {"id": "5", "question": "what blue ?", "answers": [{"text": "tree", "answer_start": 7}]}]}]}]}"#;

/// A packed model that was trained with windows without an answer, and its data.
fn workplace() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    std::fs::write(root.path().join("data.json"), DATA).expect("data.json");
    let finetune = "finetune --base base --train data.json --unanswerable-rate 0.5 --epochs 120 --lr 5e-3 --out out \
                    --hidden-dropout 0 --attention-dropout 0";
    succeeds(root.path(), finetune);
    succeeds(root.path(), "pack --model out --out model.bspan --no-smoothing --metadata license=MIT");
    root
}

fn read(root: &Path, name: &str) -> Result<AlignedBytes> {
    Ok(AlignedBytes::read_file(root.join(name))?)
}

#[test]
fn the_chosen_threshold_tells_the_two_kinds_apart_and_reaches_the_file() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let before = read(root, "model.bspan")?;
    let printed = succeeds(root, "threshold --model model.bspan data.json --out better.bspan");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("5 questions with an answer, 5 without: AUROC "), "{printed}");
    assert!(lines[1].starts_with("F1 ") && lines[1].contains(" with null_threshold 0"), "{printed}");
    assert!(lines[2].starts_with("best F1 ") && lines.len() == 5, "{printed}");
    assert!(read(root, "model.bspan")?[..] == before[..], "--out leaves the model alone");

    let after = read(root, "better.bspan")?;
    let (old, new) = (Model::parse(&before).expect("a model"), Model::parse(&after).expect("a model"));
    let threshold = new.null_threshold().expect("a threshold");
    let fitted = new.answerable().expect("a probability");
    assert!(lines[2].ends_with(&format!(" with null_threshold {threshold}")), "{printed}");
    let function =
        format!("answerable = 1 / (1 + exp(-({} * null_diff + {})))", fitted.slope, fitted.intercept);
    assert_eq!(lines[3], function);
    let added = new.metadata().lines().filter(|line| !old.metadata().lines().any(|old| old == *line));
    let keys: Vec<&str> = added.filter_map(|line| Some(line.split_once(':')?.0)).collect();
    assert_eq!(keys, ["null_threshold", "answerable_slope", "answerable_intercept"]);
    assert_eq!(new.metadata().lines().count(), old.metadata().lines().count() + 3);
    let sections = |model: &Model<'_>| {
        let all = model.sections().filter(|entry| entry.id.kind != Kind::Metadata);
        all.map(|entry| (entry.length, entry.checksum)).collect::<Vec<_>>()
    };
    assert_eq!(sections(&new), sections(&old), "only the metadata changes");
    assert_eq!(new.config(), old.config());

    // F1 at the threshold, counted anew: the right kind for the twins, and more than silence or answers alone.
    let both = twins(&Dataset::parse(DATA.as_bytes(), "data.json")?, 0);
    let mut workspace = vec![0; new.workspace_len(new.config().max_seq_len, 1)];
    let mut session = Session::new(&new, &mut workspace).expect("a session");
    let mut right = 0.0;
    for (paragraph, question) in both.questions() {
        let mut best = [Answer::default()];
        let options = AnswerOptions::for_model(&new);
        let outcome =
            session.answer(&question.question, &paragraph.context, &options, &mut best).expect("an outcome");
        let probability = fitted.probability(outcome.null_diff);
        assert!((0.0..=1.0).contains(&probability));
        assert_eq!(outcome.answers == 0, outcome.null_diff > threshold);
        right += match (question.answers.first(), outcome.answers) {
            (None, 0) => 1.0,
            (Some(answer), 1) => {
                blockspan_squad::metrics::f1(&paragraph.context[best[0].start..best[0].end], &answer.text)
            }
            _ => 0.0,
        };
    }
    let best: f64 = lines[2].split_whitespace().nth(2).expect("F1").parse()?;
    assert!((10.0 * right - best).abs() < 0.01 && best > 50.0, "{right} of 10 questions: {printed}");
    Ok(())
}

#[test]
fn a_model_is_replaced_only_when_that_is_asked_for_and_all_is_well() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let before = read(root, "model.bspan")?;
    let line = "threshold --model model.bspan data.json";
    let printed = succeeds(root, &format!("{line} --dry-run"));
    assert!(!printed.contains("written") && read(root, "model.bspan")?[..] == before[..]);
    for (arguments, parts) in [
        ("--model model.bspan none.json", &["none.json"][..]),
        ("--model none.bspan data.json", &["none.bspan"]),
        ("--model data.json data.json", &["data.json"]),
        ("--model model.bspan data.json --questions 0", &["--questions 0: give at least 1"]),
        ("--model model.bspan one.json", &["one.json: no question has another paragraph", "give a file"]),
        ("--model model.bspan data.json --out none/model.bspan", &["none/model.bspan: cannot write"]),
    ] {
        let one = r#"[{"context": "the cat .", "question": "who ?", "answers": {"text": ["cat"], "answer_start": [4]}}]"#;
        std::fs::write(root.join("one.json"), one)?;
        let output = run(root, &format!("threshold {arguments}"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        parts
            .iter()
            .for_each(|part| assert!(message.contains(part), "{arguments}: no {part:?} in {message}"));
        assert!(read(root, "model.bspan")?[..] == before[..], "{arguments}");
    }
    assert!(succeeds(root, line).ends_with("model.bspan: written\n"));
    let once = read(root, "model.bspan")?;
    succeeds(root, line);
    assert!(read(root, "model.bspan")?[..] == once[..], "a second time changes nothing");
    // Fewer questions are other ones for another seed.
    let few = |seed: usize| succeeds(root, &format!("{line} --dry-run --questions 2 --seed {seed}"));
    assert!(few(1).starts_with("2 questions with an answer, 2 without"), "{}", few(1));
    Ok(())
}
