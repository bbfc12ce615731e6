//! What a file's recommended threshold and its calibrated probability do to `ask` and `eval`.

use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, TempFile, blockspan, stdout, with_card};

/// The default model with these lines of metadata.
fn model(card: &str) -> TempFile {
    TempFile::new("model.bspan", &with_card(card))
}

fn text(model: &TempFile, more: &[&str]) -> String {
    let args = ["ask", QUESTION, "--context", PASSAGE, "--model", model.name()];
    stdout(&blockspan(&args).args(more).output().unwrap())
}

fn object(model: &TempFile, more: &[&str]) -> Value {
    serde_json::from_str(&text(model, &[&["--json"], more].concat())).unwrap()
}

/// Of the question and the passage.
fn null_diff() -> f32 {
    object(&model(""), &[])["null_diff"].as_f64().unwrap() as f32
}

#[test]
fn above_the_recommended_threshold_the_best_span_is_only_a_guess() {
    let plain = text(&model(""), &[]);
    let (below, at) = (null_diff() - 0.25, null_diff());
    let shy = model(&format!("null_threshold: {below}\n"));
    let shown = text(&shy, &[]);
    let why = format!(
        "no answer in this passage\n  null_diff {at:.3} is above {below}, the model's null_threshold\n\n"
    );
    assert_eq!(shown, format!("{why}best guess: {plain}"));

    let several = text(&shy, &["--top-k", "2"]);
    assert!(several.starts_with(&format!("{why}guess 1: {plain}\nguess 2: ")), "{several}");

    // At the threshold it is an answer.
    assert_eq!(text(&model(&format!("null_threshold: {at}\n")), &[]), plain);
    // What is no number recommends nothing.
    assert_eq!(text(&model("null_threshold: high\n"), &[]), plain);
}

#[test]
fn the_command_line_wins_over_the_recommended_threshold() {
    let plain = text(&model(""), &[]);
    let shy = model(&format!("null_threshold: {}\n", null_diff() - 0.25));
    assert_eq!(text(&shy, &["--always-answer"]), plain);
    assert_eq!(text(&shy, &["--null-threshold", "inf"]), plain);
    let bold = model(&format!("null_threshold: {}\n", null_diff() + 1.0));
    let none = text(&bold, &["--null-threshold", &(null_diff() - 1.0).to_string()]);
    assert!(none.starts_with("no answer\n  null_diff "), "{none}");
    let both = ["ask", QUESTION, "--context", PASSAGE, "--always-answer", "--null-threshold", "0"];
    let output = blockspan(&both).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_json_has_its_answers_and_the_probability_behind_them() {
    let plain = object(&model(""), &[]);
    assert!(plain.get("answerable").is_none(), "{plain}");
    let card =
        format!("null_threshold: {}\nanswerable_slope: -0.5\nanswerable_intercept: -2\n", null_diff() - 0.25);
    let calibrated = model(&card);
    let line = text(&calibrated, &["--json"]);
    let found: Value = serde_json::from_str(&line).unwrap();
    for key in ["question", "answers", "null_diff"] {
        assert_eq!(found[key], plain[key], "{key}");
    }
    let expected = 1.0 / (1.0 + (0.5 * f64::from(null_diff()) + 2.0).exp());
    let answerable = found["answerable"].as_f64().unwrap();
    assert!((answerable - expected).abs() < 1e-6, "{answerable}, expected {expected}");
    let (before, _) = line.split_once(r#","answerable":"#).unwrap();
    assert!(before.contains(r#""null_diff":"#) && line.ends_with("}\n"), "it comes last: {line}");

    let shown = text(&calibrated, &[]);
    assert!(shown.contains(&format!("\n  answerable {answerable:.4}; null_diff ")), "{shown}");
    let args = ["ask", QUESTION, "--context", PASSAGE, "--model", calibrated.name(), "--verbose"];
    let stderr = String::from_utf8(blockspan(&args).output().unwrap().stderr).unwrap();
    assert!(stderr.contains(&format!(", answerable {answerable:.4}")), "{stderr}");
    // One number of the two is none.
    assert!(object(&model("answerable_slope: -0.5\n"), &[]).get("answerable").is_none());
}

#[test]
fn eval_takes_the_recommended_threshold_only_where_questions_may_have_no_answer() {
    let qas = |impossible: bool| {
        let answers = if impossible { json!([]) } else { json!([{"text": "1862", "answer_start": 44}]) };
        json!({"id": impossible.to_string(), "question": QUESTION, "answers": answers, "is_impossible": impossible})
    };
    let file = |qas: Value| {
        let data = json!({"data": [{"title": "t", "paragraphs": [{"context": PASSAGE, "qas": qas}]}]});
        TempFile::new("data.json", data.to_string().as_bytes())
    };
    let scores = |data: &TempFile, card: &str, more: &[&str]| {
        let model = model(card);
        let output = blockspan(&["eval", data.name(), "--model", model.name()]).args(more).output().unwrap();
        stdout(&output).lines().next().unwrap().to_owned()
    };
    let (always, never) = ("EM 100.00  F1 100.00", "EM 0.00  F1 0.00");
    let (v1, v2) = (file(json!([qas(false)])), file(json!([qas(true)])));
    for (threshold, on_v2) in [("-1000", always), ("1000", never)] {
        let card = format!("null_threshold: {threshold}\n");
        assert!(scores(&v1, &card, &[]).starts_with(always), "{threshold}");
        assert!(scores(&v2, &card, &[]).starts_with(on_v2), "{threshold}");
        let other = if on_v2 == always { ("1000", never) } else { ("-1000", always) };
        assert!(scores(&v2, &card, &["--null-threshold", other.0]).starts_with(other.1), "{threshold}");
    }
}
