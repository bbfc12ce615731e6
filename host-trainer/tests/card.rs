//! The card of a model: what training writes, what `pack` takes over, measures and is told.

#[path = "common/command.rs"]
mod command;
mod common;

use std::path::Path;

use anyhow::Result;
use blockspan_engine::{AlignedBytes, Model};
use serde_json::Value;

use command::{run, succeeds};

const FINETUNE: &str = "finetune --base base --train data.json data.json --eval v2.json --epochs 2 --out out";
const CREATED_BY: &str = concat!("blockspan-trainer ", env!("CARGO_PKG_VERSION"));

/// The lines of the metadata of the file that `pack` makes with these arguments.
fn metadata(root: &Path, arguments: &str) -> Result<Vec<String>> {
    succeeds(root, &format!("pack --no-smoothing {arguments} --out card.bspan"));
    let bytes = AlignedBytes::read_file(root.join("card.bspan"))?;
    Ok(Model::parse(&bytes)?.metadata().lines().map(str::to_owned).collect())
}

fn workplace() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    let first = r#"[{"text": "the red cat", "answer_start": 0}]"#;
    assert!(common::DATA.contains(first));
    let version_2 =
        common::DATA.replacen(&format!("\"answers\": {first}"), r#""answers": [], "is_impossible": true"#, 1);
    std::fs::write(root.path().join("v2.json"), version_2).expect("v2.json");
    root
}

#[test]
fn a_model_without_a_card_says_what_pack_measures() -> Result<()> {
    let root = workplace();
    let created_by = format!("created_by: {CREATED_BY}");
    let lines = ["sparsity: 0", "pattern: dense", "source: base", &created_by];
    assert_eq!(metadata(root.path(), "--model base")?, lines);
    Ok(())
}

#[test]
fn what_training_knows_reaches_the_packed_file() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let printed = succeeds(root, &format!("{FINETUNE} --sparsity 0.75"));
    let card: Value = serde_json::from_slice(&std::fs::read(root.join("out/card.json"))?)?;
    // "EM 12.34  F1 56.78  (5 questions)"
    let scores: Vec<&str> = printed.lines().last().expect("scores").split_whitespace().collect();
    assert_eq!(card["exact_match"].as_f64(), scores[1].parse().ok(), "{card} {printed}");
    assert_eq!(card["f1"].as_f64(), scores[3].parse().ok(), "{card} {printed}");
    let threshold = card["null_threshold"].as_f64().expect("a threshold");
    // It is the one that `evaluate` finds.
    let measured = succeeds(root, "evaluate --model out v2.json");
    let best = measured.rsplit("--null-threshold ").next().expect("a threshold").trim();
    assert!((threshold - best.parse::<f64>()?).abs() < 1e-3, "{threshold} {measured}");

    let lines = metadata(root, "--model out")?;
    let starts = [
        "base: base".to_owned(),
        "training_data: data.json".to_owned(),
        "sparsity: 0.75".to_owned(),
        "pattern: output-block".to_owned(),
        format!("exact_match: {}", card["exact_match"]),
        format!("f1: {}", card["f1"]),
        "evaluated_on: v2.json, 5 questions".to_owned(),
        format!("null_threshold: {}", card["null_threshold"]),
        "source: out".to_owned(),
        format!("created_by: {CREATED_BY}"),
    ];
    assert_eq!(lines, starts);

    // A model that was trained further has the origin, not the scores; where nothing is measured there are none.
    succeeds(root, "finetune --base out --train v2.json --schedule lock --epochs 1 --out further");
    let lines = metadata(root, "--model further")?;
    assert!(lines[..2] == ["base: base", "training_data: data.json, v2.json"], "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.starts_with("f1") || line.starts_with("null_threshold")),
        "{lines:?}"
    );
    Ok(())
}

#[test]
fn the_user_tells_the_rest_but_not_what_is_measured() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let card =
        r#"{"license": "CC BY-SA 4.0", "attribution": "Stanford\nNLP", "f1": 88.5, "zoo": ["a", "b"]}"#;
    std::fs::write(root.join("own.json"), card)?;
    let created_by = format!("created_by: {CREATED_BY}");
    let expected = [
        "sparsity: 0",
        "pattern: dense",
        "f1: 89",
        "license: CC BY-SA 4.0",
        "attribution: Stanford NLP",
        "source: base",
        &created_by,
        "zoo: a, b",
    ];
    assert_eq!(metadata(root, "--model base --card own.json --metadata f1=89")?, expected);
    for (arguments, parts) in [
        ("--metadata sparsity=0.9", &["sparsity", "leave it out"][..]),
        ("--metadata created_by=me", &["created_by", "leave it out"]),
        ("--metadata f1=900", &["f1 900", "percentage"]),
        ("--metadata a:b=c", &["a:b"]),
        ("--card nothing.json", &["nothing.json: cannot read"]),
        ("--card data.json", &["data.json", "data"]),
        ("--card base/vocab.txt", &["base/vocab.txt: not a model card", "JSON object"]),
    ] {
        let output = run(root, &format!("pack --model base --out refused.bspan {arguments}"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        parts
            .iter()
            .for_each(|part| assert!(message.contains(part), "{arguments}: no {part:?} in {message}"));
        assert!(!root.join("refused.bspan").exists());
    }
    std::fs::write(root.join("base/card.json"), "{")?;
    let output = run(root, &format!("{FINETUNE} --max-steps 1"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("base/card.json: not a model card") && !root.join("out").exists(), "{message}");
    Ok(())
}
