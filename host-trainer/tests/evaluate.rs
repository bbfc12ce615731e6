//! `evaluate` on data of every kind, and what training makes of the same data.

mod common;

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use blockspan_squad::{Dataset, Prediction, twins};
use blockspan_trainer::evaluate::{EvaluateOptions, Network, logits, predictions};
use blockspan_trainer::features::{Labels, WindowOptions, features};
use candle_core::Device;
use serde_json::Value;

const WINDOWS: WindowOptions = WindowOptions { max_seq_len: 24, doc_stride: 8 };
const CUT: &str = "--max-seq-len 24 --doc-stride 8";

/// What the command prints on standard output and on standard error.
fn succeeds(root: &Path, line: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    let output = command.current_dir(root).args(line.split_whitespace()).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    assert!(output.status.success(), "{line}: {}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

fn workplace() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 5);
    root
}

/// The data set with the answers of the third question replaced.
fn third(replacement: &str) -> String {
    let answers = r#""answers": [{"text": "a mat", "answer_start": 19}]"#;
    assert!(common::DATA.contains(answers));
    common::DATA.replace(answers, replacement)
}

#[test]
fn no_answers_without_the_flag_mean_the_same_as_with_it() -> Result<()> {
    let root = workplace();
    let root = root.path();
    for (name, answers) in [
        ("flag", r#""answers": [], "is_impossible": true"#),
        ("noflag", r#""answers": []"#),
        ("nothing", r#""answers": null"#),
        ("datasets", r#""answers": {"text": [], "answer_start": []}"#),
    ] {
        std::fs::write(root.join(format!("{name}.json")), third(answers))?;
        let line =
            format!("evaluate --model base {name}.json --output-dir {name} {CUT} --null-threshold -0.2");
        let (printed, _) = succeeds(root, &line);
        assert!(printed.contains("NoAns   EM"), "{printed}");
        assert_eq!(succeeds(root, &line.replace(name, "flag")).0, printed, "{name}");
        for file in ["predictions.json", "nbest_predictions.json", "null_odds.json"] {
            let read = |name: &str| std::fs::read_to_string(root.join(name).join(file));
            assert_eq!(read(name)?, read("flag")?, "{name}/{file}");
        }
        // Training takes them the same way.
        let line = format!("finetune --base base --train {name}.json --out qa-{name} --epochs 1 {CUT}");
        let (trained, _) = succeeds(root, &line);
        let (expected, _) = succeeds(root, &line.replace(name, "flag").replace("qa-flag", "qa-again"));
        assert_eq!(trained.replace(&format!("qa-{name}"), ""), expected.replace("qa-again", ""));
        std::fs::remove_dir_all(root.join("qa-again"))?;
    }
    Ok(())
}

#[test]
fn a_file_without_answers_gives_predictions_and_no_scores() -> Result<()> {
    let root = workplace();
    let root = root.path();
    succeeds(root, &format!("evaluate --model base data.json --output-dir labeled {CUT}"));
    std::fs::write(root.join("test.json"), common::DATA.replace("\"answers\"", "\"proposals\""))?;
    let line = format!("evaluate --model base test.json {CUT}");
    let expected = std::fs::read_to_string(root.join("labeled/predictions.json"))?;
    let (printed, told) = succeeds(root, &line);
    assert_eq!(printed, expected);
    assert!(told.contains("no EM and F1: the file holds no answers  (5 questions"), "{told}");
    let (printed, _) = succeeds(root, &format!("{line} --output-dir out"));
    assert!(printed.starts_with("no EM and F1: ") && printed.lines().count() == 1, "{printed}");
    assert_eq!(std::fs::read_to_string(root.join("out/predictions.json"))?, expected);
    Ok(())
}

#[test]
fn questions_with_one_id_or_none_are_scored_each_by_itself() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let (expected, told) = succeeds(root, &format!("evaluate --model base data.json {CUT}"));
    assert_eq!(told, "");
    let mut alike = common::DATA.to_owned();
    for id in 1..6 {
        alike = alike.replace(&format!("\"id\": \"{id}\""), "\"id\": \"q\"");
    }
    for (text, note) in [
        (&alike, "note: alike.json: 4 questions with the id of another"),
        (&alike.replace("\"id\": \"q\"", "\"n\": 0"), "note: alike.json: 5 questions without an id"),
    ] {
        std::fs::write(root.join("alike.json"), text)?;
        let (printed, told) =
            succeeds(root, &format!("evaluate --model base alike.json --output-dir out {CUT}"));
        assert_eq!(printed, expected);
        assert!(told.starts_with(note), "{told}");
        let written: Value = serde_json::from_slice(&std::fs::read(root.join("out/predictions.json"))?)?;
        assert_eq!(written.as_object().map(serde_json::Map::len), Some(5));
    }
    Ok(())
}

#[test]
fn twins_tell_how_well_null_odds_separate() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let line = format!("evaluate --model base data.json {CUT}");
    let (plain, _) = succeeds(root, &line);
    let (printed, _) = succeeds(root, &format!("{line} --unanswerable-twin --seed 3 --output-dir out"));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(format!("{}\n", lines[0]), plain, "the file's own questions first, as without twins");

    let network = Network::load(&root.join("base"), WINDOWS, &Device::Cpu)?;
    let dataset = Dataset::read(root.join("data.json"))?;
    let both = twins(&dataset, 3);
    let windows = features(&both, &network.tokenizer, WINDOWS, Labels::None)?;
    let logits = logits(&network.model, &windows, 16, network.tokenizer.pad, &Device::Cpu)?;
    let options = EvaluateOptions { windows: WINDOWS, ..Default::default() };
    let predicted = predictions(&both, &windows, &logits, options);
    let odds =
        |all: &[Prediction]| -> Vec<f64> { all.iter().filter_map(|question| question.null_odds).collect() };
    let (with, without) = (odds(&predicted[..5]), odds(&predicted[5..]));
    assert_eq!((with.len(), without.len()), (5, 5));
    let pairs = with.iter().flat_map(|a| without.iter().map(move |b| 0.5 + 0.5 * (b - a).signum()));
    let auroc = pairs.sum::<f64>() / 25.0;
    assert_eq!(
        lines[1],
        format!("twins  AUROC {auroc:.4} of null_diff  (5 questions with an answer, 5 without)")
    );
    let (json, _) = succeeds(root, &format!("{line} --unanswerable-twin --seed 3 --json"));
    let figures: Value = serde_json::from_str(&json)?;
    let best = &figures["twins"]["best_f1"];
    assert!(
        lines[2].starts_with("twins  F1 ") && lines[2].contains(" with --null-threshold 0, best F1 "),
        "{printed}"
    );
    assert!(
        lines[2].ends_with(&format!(" with --null-threshold {}", best["null_threshold"])),
        "{printed}, {json}"
    );
    let there =
        format!("{line} --unanswerable-twin --seed 3 --json --null-threshold={}", best["null_threshold"]);
    let found: Value = serde_json::from_str(&succeeds(root, &there).0)?;
    assert_eq!(found["twins"]["f1"], best["score"], "the best threshold gives what it promises");
    // The files hold the questions of the data set alone.
    let written: Value = serde_json::from_slice(&std::fs::read(root.join("out/predictions.json"))?)?;
    assert_eq!(written.as_object().map(serde_json::Map::len), Some(5));
    Ok(())
}

#[test]
fn questions_with_wrong_offsets_are_left_out_on_request() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let wrong = common::DATA.replace("\"answer_start\": 19", "\"answer_start\": 18");
    std::fs::write(root.join("wrong.json"), &wrong)?;
    let question = r#"{"id": "3", "question": "where did the cat ?", "answers": [{"text": "a mat", "answer_start": 18}]}"#;
    std::fs::write(root.join("right.json"), wrong.replace(&format!(",\n    {question}"), ""))?;
    assert_eq!(Dataset::read(root.join("right.json"))?.questions().count(), 4);
    let line =
        format!("finetune --base base --train wrong.json --out qa --epochs 1 --skip-bad-answers {CUT}");
    let (trained, told) = succeeds(root, &line);
    assert!(told.contains("wrong.json: ") && told.contains("these 1 of 5 questions are left out"), "{told}");
    assert!(told.contains("article 0, paragraph 0, question 2 (3): at answer_start 18"), "{told}");
    let (expected, told) = succeeds(root, &line.replace("wrong", "right").replace("--out qa", "--out qr"));
    assert_eq!(trained.replace("qa", "qr"), expected);
    assert!(!told.contains("left out"), "{told}");
    Ok(())
}
