//! Scores against an implementation of the official rules in another language, on predictions of every kind.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use blockspan_squad::{Best, Dataset, Scores, evaluate, evaluate_null};
use serde_json::{Value, json};

/// Pieces of answers and predictions: articles, punctuation, repetitions, letters beyond ASCII.
const WORDS: [&str; 14] = [
    "the", "A", "cat", "Cat,", "cat's", "an", "owl", "–", "Zürich", "1,000", "(1000)", "the-cat", "of",
    "ANOTHER",
];

/// A small generator (xorshift), so that the cases are the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn text(&mut self) -> String {
        let count = self.below(4);
        (0..count).map(|_| WORDS[self.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
    }
}

/// What the script says of the case; nothing where there is no Python.
fn official(case: &Value) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/squad_evaluate.py");
    let python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        eprintln!("no python3: not compared");
        return None;
    };
    python.stdin.take().expect("a pipe").write_all(case.to_string().as_bytes()).expect("written");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the script failed");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn assert_close(value: f64, expected: &Value, name: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{name}: {expected}"));
    assert!((value - expected).abs() < 1e-9, "{name}: {value}, the script says {expected}");
}

#[test]
fn scores_are_those_of_the_official_rules() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..8 {
        let without_answer = round % 2 == 1;
        let (mut questions, mut qas) = (Vec::new(), Vec::new());
        let (mut predictions, mut odds) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..120 {
            let id = format!("q{index:03}");
            let count = if without_answer && random.below(3) == 0 { 0 } else { 1 + random.below(3) };
            let mut answers: Vec<String> = (0..count).map(|_| random.text()).collect();
            answers.iter_mut().filter(|text| text.is_empty()).for_each(|text| text.push_str("owl"));
            // Half of the predictions are one of the answers, or nearly.
            let near = answers.first().filter(|_| random.below(2) == 0).map(|answer| format!("{answer} the"));
            predictions.insert(id.clone(), near.unwrap_or_else(|| random.text()));
            // No two are equal: the official search may stop between equal ones, where no threshold lies.
            odds.insert(id.clone(), random.below(40) as f64 / 4.0 - 5.0 + index as f64 / 1024.0);
            let listed: Vec<Value> =
                answers.iter().map(|text| json!({"text": text, "answer_start": 0})).collect();
            qas.push(json!({"id": id, "question": "?", "answers": listed, "is_impossible": count == 0}));
            questions.push(json!([id, answers]));
        }
        let file = json!({"data": [{"paragraphs": [{"context": "", "qas": qas}]}]}).to_string();
        let dataset = Dataset::parse(file.as_bytes(), "case.json").expect("a data set");
        let threshold = 1.25;
        let case = json!({
            "questions": questions, "predictions": predictions, "null_odds": odds, "threshold": threshold
        });
        let Some(expected) = official(&case) else { return };
        if !without_answer {
            let Scores { exact_match, f1, total } = evaluate(&dataset, &predictions);
            assert_eq!(total, 120);
            assert_close(exact_match, &expected["v1"]["exact"], "exact");
            assert_close(f1, &expected["v1"]["f1"], "f1");
            continue;
        }
        let scores = evaluate_null(&dataset, &predictions, &odds, threshold);
        let expected = &expected["v2"];
        let parts = [("", Some(scores.all)), ("HasAns_", scores.has_answer), ("NoAns_", scores.no_answer)];
        for (prefix, part) in parts {
            let part = part.expect("questions of both kinds");
            assert_close(part.exact_match, &expected[format!("{prefix}exact")], &format!("{prefix}exact"));
            assert_close(part.f1, &expected[format!("{prefix}f1")], &format!("{prefix}f1"));
        }
        for (name, Best { score, threshold }) in [("exact", scores.best_exact), ("f1", scores.best_f1)] {
            assert_close(score, &expected[format!("best_{name}")], &format!("best_{name}"));
            // The threshold that is found gives the score that is promised.
            let there = evaluate_null(&dataset, &predictions, &odds, threshold).all;
            let there = if name == "exact" { there.exact_match } else { there.f1 };
            assert!(there >= score - 1e-9, "best_{name}: {score} promised, {there} found at {threshold}");
        }
    }
}
