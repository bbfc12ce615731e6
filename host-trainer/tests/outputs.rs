//! The files of `evaluate --output-dir` against the rules of `run_qa.py`, spelled out here once more; and `verify`.

#[path = "common/command.rs"]
mod command;
mod common;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use blockspan_engine::{AlignedBytes, Answer, AnswerOptions, Model, Session};
use blockspan_squad::Dataset;
use blockspan_trainer::evaluate::{Logits, Network, logits};
use blockspan_trainer::features::{Feature, Labels, WindowOptions, features};
use candle_core::Device;
use serde_json::{Map, Value};

use command::{run, succeeds};

const WINDOWS: WindowOptions = WindowOptions { max_seq_len: 16, doc_stride: 4 };
const CUT: &str = "--max-seq-len 16 --doc-stride 4";
const N_BEST: usize = 6;
const MAX_ANSWER_LEN: usize = 5;

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.starts_with("{\n    \"") && text.ends_with("}\n"), "{}", path.display());
    serde_json::from_str(&text).expect("JSON")
}

/// A span of a window, or the null answer: score, text, start and end logit.
type Span = (f32, String, f32, f32);

/// `postprocess_qa_predictions`, one step after another: the n best, and how far the null answer is ahead.
fn n_best(context: &str, windows: &[(&Feature, &Logits)], with_null: bool) -> (Vec<(Span, f64)>, f64) {
    let mut all: Vec<Span> = Vec::new();
    let mut null: Option<Span> = None;
    for (window, logits) in windows {
        let score = logits.start[0] + logits.end[0];
        if null.as_ref().is_none_or(|null| null.0 > score) {
            null = Some((score, String::new(), logits.start[0], logits.end[0]));
        }
        let best = |logits: &[f32]| -> Vec<usize> {
            let mut order: Vec<usize> = (0..logits.len()).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            order.into_iter().take(N_BEST).collect()
        };
        for start in best(&logits.start) {
            for end in best(&logits.end) {
                let inside = window.passage.contains(&start) && window.passage.contains(&end);
                if !inside || end < start || end - start + 1 > MAX_ANSWER_LEN {
                    continue;
                }
                let offsets = window.offsets();
                let [from, _] = offsets[start - window.passage.start];
                let [_, to] = offsets[end - window.passage.start];
                let (s, e) = (logits.start[start], logits.end[end]);
                all.push((s + e, context[from as usize..to as usize].to_owned(), s, e));
            }
        }
    }
    let null = null.expect("a window");
    if with_null {
        all.push(null.clone());
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.truncate(N_BEST);
    if with_null && all.iter().all(|span| !span.1.is_empty()) {
        all.push(null.clone());
    }
    if all.iter().all(|span| span.1.is_empty()) {
        all.insert(0, (0.0, "empty".into(), 0.0, 0.0));
    }
    let total: f64 = all.iter().map(|span| f64::from(span.0 - all[0].0).exp()).sum();
    let first = all.iter().find(|span| !span.1.is_empty()).expect("one").clone();
    let odds = f64::from(null.0 - first.2 - first.3);
    let probabilities: Vec<f64> = all.iter().map(|span| f64::from(span.0 - all[0].0).exp() / total).collect();
    (all.into_iter().zip(probabilities).collect(), odds)
}

fn close(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-5)
}

#[test]
fn files_are_those_of_run_qa() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 5);
    // The same, with a question that has no answer.
    let version_2 = common::DATA.replace(
        r#"{"id": "3", "question": "where did the cat ?", "answers": [{"text": "a mat", "answer_start": 19}]}"#,
        r#"{"id": "3", "question": "where did the cat ?", "answers": [], "is_impossible": true}"#,
    );
    assert_ne!(version_2, common::DATA);
    std::fs::write(root.join("v2.json"), &version_2)?;
    let network = Network::load(&root.join("base"), WINDOWS, &Device::Cpu)?;
    for (file, flags, threshold) in [
        ("data.json", "", None),
        ("data.json", "--null-threshold -0.4", Some(-0.4)),
        ("v2.json", "", Some(0.0)),
        ("v2.json", "--null_score_diff_threshold -0.4", Some(-0.4)),
    ] {
        let out = root.join(format!("out-{file}-{threshold:?}"));
        let line = format!(
            "evaluate --model base {file} --output-dir {} {CUT} --n-best {N_BEST} \
             --max-answer-len {MAX_ANSWER_LEN} {flags}",
            out.display()
        );
        let (with_null, threshold) = (threshold.is_some(), threshold.unwrap_or_default());
        let printed = succeeds(root, &line);
        // Of the questions with an answer, of those without, and the best thresholds.
        let more = if file == "v2.json" { 3 } else { 2 };
        assert_eq!(printed.lines().count(), if with_null { 1 + more } else { 1 }, "{printed}");
        assert_eq!(printed.contains("HasAns  EM"), with_null, "{printed}");
        let (predictions, best) =
            (json(&out.join("predictions.json")), json(&out.join("nbest_predictions.json")));
        let dataset = Dataset::read(root.join(file))?;
        let windows = features(&dataset, &network.tokenizer, WINDOWS, Labels::None)?;
        let logits = logits(&network.model, &windows, 16, network.tokenizer.pad, &Device::Cpu)?;
        let mut order = Vec::new();
        let (mut nulls, mut answered) = (0, 0);
        for (index, (paragraph, question)) in dataset.questions().enumerate() {
            let own: Vec<_> =
                windows.iter().zip(&logits).filter(|(window, _)| window.question == index).collect();
            let (spans, odds) = n_best(&paragraph.context, &own, with_null);
            let written = best[&question.id].as_array().expect("a list");
            assert_eq!(written.len(), spans.len(), "{}", question.id);
            for (written, ((_, text, start, end), probability)) in written.iter().zip(&spans) {
                let keys: Vec<&String> = written.as_object().expect("an object").keys().collect();
                assert_eq!(keys.len(), 4, "{keys:?}");
                assert_eq!(written["text"], *text, "{}: {written}", question.id);
                assert!(close(&written["start_logit"], f64::from(*start)), "{written}, {start}");
                assert!(close(&written["end_logit"], f64::from(*end)), "{written}, {end}");
                assert!(close(&written["probability"], *probability), "{written}, {probability}");
            }
            let first = spans.iter().find(|(span, _)| !span.1.is_empty()).expect("one");
            let is_null = with_null && odds > threshold;
            nulls += usize::from(is_null);
            answered += usize::from(!is_null);
            assert_eq!(predictions[&question.id], if is_null { "" } else { first.0.1.as_str() });
            if with_null {
                assert!(close(&json(&out.join("null_odds.json"))[&question.id], odds), "{odds}");
            }
            order.push(question.id.clone());
        }
        assert_eq!(out.join("null_odds.json").exists(), with_null);
        assert_eq!(predictions.as_object().map(Map::len), Some(order.len()));
        assert!(!with_null || nulls + answered == order.len());
    }
    Ok(())
}

#[test]
fn a_passage_without_a_span_is_answered_as_run_qa_answers() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 5);
    let data = r#"{"data": [{"paragraphs": [{"context": " ", "qas": [
        {"id": "1", "question": "who ?", "answers": []}]}]}]}"#;
    std::fs::write(root.path().join("bare.json"), data)?;
    succeeds(root.path(), &format!("evaluate --model base bare.json --output-dir out {CUT}"));
    assert_eq!(json(&root.path().join("out/predictions.json"))["1"], "empty");
    let best = json(&root.path().join("out/nbest_predictions.json"));
    assert_eq!(
        best["1"][0],
        serde_json::json!({
            "start_logit": 0.0, "end_logit": 0.0, "text": "empty", "probability": 1.0
        })
    );
    Ok(())
}

#[test]
fn a_packed_model_is_compared_with_its_checkpoint() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 5);
    succeeds(root, "pack --model base --out base.bspan");
    let line = format!("verify --model base --packed base.bspan data.json {CUT} --json");
    let found: Value = serde_json::from_str(&succeeds(root, &line))?;
    // f32 as `evaluate` has it, int8 as the engine has it.
    let out = format!("evaluate --model base data.json --output-dir out {CUT}");
    let measured = succeeds(root, &out);
    let f32 = json(&root.join("out/predictions.json"));
    let exact = found["f32"]["exact_match"].as_f64().expect("a number");
    assert!(measured.starts_with(&format!("EM {exact:.2} ")), "{measured} {found}");
    let file = AlignedBytes::read_file(root.join("base.bspan"))?;
    let model = Model::parse(&file)?;
    let mut workspace = vec![0; model.workspace_len(16, 1)];
    let mut session = Session::with(&model, 16, &mut workspace, Default::default())?;
    let dataset = Dataset::read(root.join("data.json"))?;
    let mut int8 = BTreeMap::new();
    let options = AnswerOptions { doc_stride: Some(4), ..AnswerOptions::default() };
    let options = AnswerOptions { n_best: 20, max_answer_len: 30, ..options };
    for (paragraph, question) in dataset.questions() {
        let mut answers = [Answer::default()];
        session.answer(&question.question, &paragraph.context, &options, &mut answers)?;
        int8.insert(question.id.clone(), paragraph.context[answers[0].start..answers[0].end].to_owned());
    }
    let scores = blockspan_squad::evaluate(&dataset, &int8);
    assert_eq!(found["int8"]["exact_match"], scores.exact_match);
    assert_eq!(found["int8"]["f1"], scores.f1);
    let changed = found["changed"].as_array().expect("a list");
    let expected: Vec<&String> =
        int8.iter().filter(|(id, text)| f32[id] != **text).map(|(id, _)| id).collect();
    assert_eq!(changed.iter().map(|question| &question["id"]).collect::<Vec<_>>(), expected);
    let differences = |found: &Value| {
        ["mean_difference", "worst_difference"].map(|name| found["logits"][name].as_f64().expect("a number"))
    };
    let [mean, worst] = differences(&found);
    assert!(0.0 < mean && mean < 0.1 && mean < worst && worst < 0.5, "{found}");
    assert_eq!((&found["texts_cut_differently"], &found["questions"]), (&0.into(), &5.into()));

    // Another model of the same shape is far away, and its other answers are listed.
    common::write_base(&root.join("other"), 6);
    let foreign = line.replace("--model base", "--model other/base");
    let [foreign_mean, _] = differences(&serde_json::from_str(&succeeds(root, &foreign))?);
    assert!(foreign_mean > 5.0 * mean, "{foreign_mean}, its own {mean}");
    let text = succeeds(root, &foreign.replace(" --json", ""));
    let count: usize =
        text.split(" of 5 answers changed").next().and_then(|t| t.lines().last()).expect("a line").parse()?;
    // It warns, and fails limits that a good pair meets; the report is printed all the same.
    let limits = "--max-logit-difference 0.1 --min-equal-answers 0.5";
    let good = run(root, &format!("{line} {limits}"));
    assert_eq!((good.status.code(), &good.stderr[..]), (Some(0), &b""[..]), "{good:?}");
    let output = run(root, &foreign);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(
        message.starts_with("warning: the logits differ by ") && message.contains("other/base"),
        "{message}"
    );
    for (limits, flags) in [
        ("--max-logit-difference 0.1", &["--max-logit-difference 0.1"][..]),
        ("--min-equal-answers 1", &["--min-equal-answers 1"]),
        (
            "--max-logit-difference 0.1 --min-equal-answers 1",
            &["--max-logit-difference 0.1", "--min-equal-answers 1"],
        ),
    ] {
        let output = run(root, &format!("{foreign} {limits}"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        let told: Vec<&str> = message.lines().filter(|line| line.starts_with("limit not met: ")).collect();
        assert_eq!(told.len(), flags.len(), "{message}");
        flags.iter().zip(told).for_each(|(flag, told)| assert!(told.ends_with(flag), "{told}"));
        let found: Value = serde_json::from_slice(&output.stdout)?;
        let changed = found["changed"].as_array().expect("a list").len();
        assert_eq!(found["equal_answers"], 1.0 - changed as f64 / 5.0);
    }
    assert_eq!(run(root, &format!("{line} --min-equal-answers 1.5")).status.code(), Some(2));
    assert!(count > 0 && text.lines().filter(|line| line.contains("  f32 \"")).count() == count, "{text}");
    Ok(())
}

#[test]
fn verify_prints_no_scores_of_questions_without_answers() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 5);
    succeeds(root, "pack --model base --out base.bspan");
    let data = r#"[{"context": "the red cat sat .", "qas": [{"id": "1", "question": "who sat ?"}]}]"#;
    std::fs::write(root.join("open.json"), data)?;
    let line = format!("verify --model base --packed base.bspan open.json {CUT}");
    let text = succeeds(root, &line);
    assert!(text.starts_with("no scores: ") && !text.contains("EM "), "{text}");
    assert!(text.contains(" of 1 answers changed"), "{text}");
    let found: Value = serde_json::from_str(&succeeds(root, &format!("{line} --json")))?;
    assert_eq!((&found["f32"], &found["int8"], &found["questions"]), (&Value::Null, &Value::Null, &1.into()));
    Ok(())
}

#[test]
fn files_that_do_not_belong_together_are_refused() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 5);
    succeeds(root, "pack --model base --out base.bspan");
    let refused = |line: &str, parts: &[&str]| {
        let output = run(root, line);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        parts.iter().for_each(|part| assert!(message.contains(part), "no {part:?} in {message}"));
    };
    let line = format!("verify --model base --packed base.bspan data.json {CUT}");
    refused(&line.replace("base.bspan", "nothing.bspan"), &["nothing.bspan: cannot open the model"]);
    std::fs::write(root.join("half.bspan"), &std::fs::read(root.join("base.bspan"))?[..4000])?;
    refused(&line.replace("base.bspan", "half.bspan"), &["half.bspan: "]);
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/tiny/output-block");
    let other = line.replace("--model base", &format!("--model {tiny}"));
    refused(&other, &["base.bspan was not packed from", "hidden size: 16, the checkpoint's: 32"]);
    std::fs::write(root.join("none.json"), r#"{"data": []}"#)?;
    refused(&line.replace("data.json", "none.json"), &["holds no question"]);
    refused(&format!("{line} --null-threshold NaN"), &["--null-threshold NaN"]);
    Ok(())
}
