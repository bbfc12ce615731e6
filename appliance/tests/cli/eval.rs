//! `blockspan eval`: scores, predictions, questions without an answer.

use serde_json::{Value, json};

use crate::common::{PASSAGE, TempFile, ask, blockspan, stdout};

const OTHER: &str = "Marta Lindqvist opened the bakery in a former fire station, because the rent was low.";
const QUESTIONS: [(&str, &str, &str); 4] = [
    ("height", "How tall is the lighthouse?", PASSAGE),
    ("built", "When was the lighthouse built?", PASSAGE),
    ("who", "Who opened the bakery?", OTHER),
    ("why", "Why did Marta choose the fire station?", OTHER),
];

/// A SQuAD file with these answers.
fn squad(answer: impl Fn(&str, &str, &str) -> Value) -> TempFile {
    let paragraph = |context: &str| {
        let here = QUESTIONS.iter().filter(|question| question.2 == context);
        let qas: Vec<Value> = here
            .map(|(id, question, context)| {
                let mut qa = answer(id, question, context);
                qa["id"] = json!(id);
                qa["question"] = json!(question);
                qa
            })
            .collect();
        json!({ "context": context, "qas": qas })
    };
    let paragraphs = [paragraph(PASSAGE), paragraph(OTHER)];
    let file = json!({ "data": [{ "title": "t", "paragraphs": paragraphs }] });
    TempFile::new("data.json", file.to_string().as_bytes())
}

/// What `ask` answers, as an accepted answer.
fn own_answer(_: &str, question: &str, context: &str) -> Value {
    let answer = &ask(question, context, &[])["answers"][0];
    json!({ "answers": [{ "text": answer["text"], "answer_start": answer["start_char"] }] })
}

#[test]
fn scores_and_predictions_are_those_of_ask() {
    let wrong = json!({ "answers": [{ "text": "zzz", "answer_start": 0 }] });
    for (right, scores) in [(4, "EM 100.00  F1 100.00"), (3, "EM 75.00  F1 75.00"), (0, "EM 0.00  F1 0.00")] {
        let file = squad(|id, question, context| {
            let rank = QUESTIONS.iter().position(|known| known.0 == id).unwrap();
            if rank < right { own_answer(id, question, context) } else { wrong.clone() }
        });
        let out = file.directory.path().join("out.json");
        std::fs::write(&out, "old").unwrap();
        let output =
            blockspan(&["eval", file.name(), "--predictions", out.to_str().unwrap()]).output().unwrap();
        assert_eq!(stdout(&output), format!("{scores}  (4 questions, 4 windows)\n"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("questions/s") && !stderr.contains('\r'), "{stderr}");

        let predictions: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
        assert_eq!(predictions.as_object().unwrap().len(), 4);
        for (id, question, context) in QUESTIONS {
            assert_eq!(predictions[id], ask(question, context, &[])["answers"][0]["text"]);
        }
        assert_eq!(std::fs::read_dir(file.directory.path()).unwrap().count(), 2, "no temporary file stays");
    }
}

#[test]
fn decoding_flags_reach_the_engine() {
    let file = squad(own_answer);
    let args = ["eval", file.name(), "--max-seq-len", "24", "--doc-stride", "4", "--threads", "2"];
    let line = stdout(&blockspan(&args).output().unwrap());
    let windows: usize = line.rsplit_once(", ").unwrap().1.trim_end_matches(" windows)\n").parse().unwrap();
    assert!(windows >= 8, "two windows or more for each question: {line}");
}

#[test]
fn a_file_with_impossible_questions_allows_the_empty_answer() {
    let file = squad(|_, _, _| json!({ "answers": [], "is_impossible": true }));
    let out = file.directory.path().join("out.json");
    let output = blockspan(&["eval", file.name(), "--predictions", out.to_str().unwrap()]).output().unwrap();
    let predictions: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let mut empty = 0;
    for (id, question, context) in QUESTIONS {
        let object = ask(question, context, &[]);
        let none = object["null_diff"].as_f64().unwrap() > 0.0;
        empty += usize::from(none);
        assert_eq!(predictions[id], if none { json!("") } else { object["answers"][0]["text"].clone() });
    }
    let score = 25.0 * empty as f64;
    assert_eq!(stdout(&output), format!("EM {score:.2}  F1 {score:.2}  (4 questions, 4 windows)\n"));
}

#[test]
fn the_null_threshold_can_be_chosen() {
    // Questions of SQuAD v1.1: without the flag every one has an answer.
    let file = squad(own_answer);
    for (threshold, scores) in [("-1000", "EM 0.00  F1 0.00"), ("1000", "EM 100.00  F1 100.00")] {
        let output = blockspan(&["eval", file.name(), "--null-threshold", threshold]).output().unwrap();
        assert_eq!(stdout(&output), format!("{scores}  (4 questions, 4 windows)\n"));
    }
}

#[test]
fn a_question_that_cannot_be_answered_counts_as_empty_and_is_reported() {
    let json = json!({ "data": [{ "paragraphs": [
        { "context": PASSAGE, "qas": [{ "id": "blank", "question": " ", "answers": [] }] },
        { "context": "", "qas": [{ "id": "void", "question": "What?", "answers": [] }] },
    ]}]});
    let file = TempFile::new("data.json", json.to_string().as_bytes());
    let output = blockspan(&["eval", file.name()]).output().unwrap();
    assert_eq!(stdout(&output), "EM 100.00  F1 100.00  (2 questions, 0 windows)\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("without an answer: 2; the first is blank: the question is empty"), "{stderr}");
}
