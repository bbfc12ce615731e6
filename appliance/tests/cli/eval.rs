//! `blockspan eval`: scores, predictions, questions without an answer.

use serde_json::{Value, json};

use crate::common::{PASSAGE, TempFile, ask, assert_refused, blockspan, piped, stdout, without_card};

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

/// Each thread answers questions of its own; what is printed and written does not tell.
#[test]
fn the_number_of_threads_changes_no_byte() {
    let file = squad(|_, question, context| {
        // Half of the answers, so that the scores depend on which prediction is whose.
        if question.starts_with('W') { own_answer("", question, context) } else { json!({ "answers": [] }) }
    });
    let out = file.directory.path().join("out");
    let run = |threads: &str| {
        let output = ["--unanswerable-twin", "--output-dir", out.to_str().unwrap(), "--threads", threads];
        let output = blockspan(&["eval", file.name()]).args(output).output().unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(stderr.contains(&format!("threads {threads}")), "{stderr}");
        let files = ["predictions.json", "nbest_predictions.json", "null_odds.json"];
        (stdout(&output), files.map(|name| std::fs::read(out.join(name)).unwrap()))
    };
    let one = run("1");
    for threads in ["2", "3", "32"] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn questions_may_come_on_standard_input() {
    let file = squad(own_answer);
    let data = std::fs::read(&file.path).unwrap();
    let output = piped(&mut blockspan(&["eval", "-", "--predictions", "-"]), &data);
    assert_eq!(
        output.stdout,
        blockspan(&["eval", file.name(), "--predictions", "-"]).output().unwrap().stdout
    );
    assert_refused(&piped(&mut blockspan(&["eval", "-"]), b"{}"), &["standard input: "]);
}

/// So that a program can read them.
#[test]
fn predictions_on_standard_output_stand_there_alone() {
    let file = squad(own_answer);
    let output = blockspan(&["eval", file.name(), "--predictions", "-"]).output().unwrap();
    let predictions: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(predictions.as_object().unwrap().len(), 4);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.lines().any(|line| line.starts_with("EM 100.00  F1 100.00  (4 questions")), "{stderr}");
    assert_eq!(std::fs::read_dir(file.directory.path()).unwrap().count(), 1, "no file named -");
}

#[cfg(unix)]
#[test]
fn predictions_go_through_a_link_to_its_target() {
    let file = squad(own_answer);
    let at = |name: &str| file.directory.path().join(name);
    std::fs::write(at("target.json"), "old").unwrap();
    std::os::unix::fs::symlink("target.json", at("link.json")).unwrap();
    let link = at("link.json");
    let output = blockspan(&["eval", file.name(), "--predictions", link.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success() && link.is_symlink(), "{output:?}");
    let target = std::fs::read(at("target.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&target).unwrap().as_object().unwrap().len(), 4);
    // What is no file stays what it is.
    let fifo = at("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let output = blockspan(&["eval", file.name(), "--predictions", fifo.to_str().unwrap()]).output().unwrap();
    assert_refused(&output, &["fifo", "not a regular file"]);
    assert!(!fifo.is_file());
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
    // Nothing recommends another threshold than 0.
    let model = without_card();
    let args = ["eval", file.name(), "--model", model.name(), "--predictions", out.to_str().unwrap()];
    let output = blockspan(&args).output().unwrap();
    let predictions: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let mut empty = 0;
    for (id, question, context) in QUESTIONS {
        let object = ask(question, context, &[]);
        let none = object["null_diff"].as_f64().unwrap() > 0.0;
        empty += usize::from(none);
        assert_eq!(predictions[id], if none { json!("") } else { object["answers"][0]["text"].clone() });
    }
    let score = 25.0 * empty as f64;
    let printed = stdout(&output);
    assert!(
        printed.starts_with(&format!(
            "EM {score:.2}  F1 {score:.2}  (4 questions, 4 windows)\nNoAns   EM {score:.2}"
        )),
        "{printed}"
    );
}

#[test]
fn the_null_threshold_can_be_chosen() {
    // Questions of SQuAD v1.1: without the flag every one has an answer.
    let file = squad(own_answer);
    for (threshold, scores) in [("-1000", "EM 0.00  F1 0.00"), ("1000", "EM 100.00  F1 100.00")] {
        let printed =
            stdout(&blockspan(&["eval", file.name(), "--null-threshold", threshold]).output().unwrap());
        assert!(printed.starts_with(&format!("{scores}  (4 questions, 4 windows)\nHasAns")), "{printed}");
    }
}

#[test]
fn a_question_that_cannot_be_answered_counts_as_empty_and_is_reported() {
    let json = json!({ "data": [{ "paragraphs": [
        { "context": PASSAGE, "qas": [{ "id": "blank", "question": " ", "is_impossible": true }] },
        { "context": "", "qas": [{ "id": "void", "question": "What?", "is_impossible": true }] },
    ]}]});
    let file = TempFile::new("data.json", json.to_string().as_bytes());
    let output = blockspan(&["eval", file.name()]).output().unwrap();
    assert_eq!(stdout(&output), "EM 100.00  F1 100.00  (2 questions, 0 windows)\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("without an answer: 2; the first is blank: the question is empty"), "{stderr}");
}

/// A file with `text` in it, and what `eval` prints of it.
fn evaluated(text: &str, args: &[&str]) -> (String, String) {
    let file = TempFile::new("data.json", text.as_bytes());
    let output = blockspan(&[&["eval", file.name()], args].concat()).output().unwrap();
    (stdout(&output), String::from_utf8(output.stderr).unwrap())
}

fn with_qas(qas: &Value) -> String {
    json!({ "data": [{ "title": "t", "paragraphs": [{ "context": PASSAGE, "qas": qas }] }] }).to_string()
}

#[test]
fn no_answers_without_the_flag_mean_the_same_as_with_it() {
    let qas = |flag: bool| {
        let mut qas = json!([
            { "id": "1", "question": QUESTIONS[1].1, "answers": [{ "text": "1862", "answer_start": 44 }] },
            { "id": "2", "question": "Who painted the ceiling of the chapel?", "answers": [] },
            { "id": "3", "question": "What is the capital of France?", "answers": [] }]);
        if flag {
            for (index, qa) in qas.as_array_mut().unwrap().iter_mut().enumerate() {
                qa["is_impossible"] = json!(index > 0);
            }
        }
        with_qas(&qas)
    };
    let (with, _) = evaluated(&qas(true), &[]);
    assert_eq!(evaluated(&qas(false), &[]).0, with);
    assert!(with.contains("HasAns") && with.contains("NoAns"), "{with}");
    assert_eq!(evaluated(&qas(false), &["--json"]).0, evaluated(&qas(true), &["--json"]).0);
}

#[test]
fn a_file_without_answers_gives_predictions_and_no_scores() {
    let text = with_qas(&json!([{ "id": "1", "question": QUESTIONS[1].1 }, { "question": QUESTIONS[0].1 }]));
    let own = |question: &str| ask(question, PASSAGE, &[])["answers"][0]["text"].clone();
    let expected = json!({ "1": own(QUESTIONS[1].1), "question-1": own(QUESTIONS[0].1) });
    let (printed, stderr) = evaluated(&text, &[]);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected);
    assert!(stderr.contains("no EM and F1: the file holds no answers  (2 questions, 2 windows)"), "{stderr}");
    assert!(stderr.contains("1 question without an id"), "{stderr}");

    let out = tempfile::tempdir().unwrap();
    let directory = out.path().join("deep/out");
    let (printed, _) = evaluated(&text, &["--output-dir", directory.to_str().unwrap()]);
    assert_eq!(printed, "no EM and F1: the file holds no answers  (2 questions, 2 windows)\n");
    let written = std::fs::read(directory.join("predictions.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
    let (printed, _) = evaluated(&text, &["--json"]);
    let object = serde_json::from_str::<Value>(&printed).unwrap();
    assert_eq!((&object["exact_match"], &object["questions"]), (&Value::Null, &json!(2)));
}

#[test]
fn questions_with_one_id_are_scored_each_by_itself() {
    let qa = |index: usize| {
        let (_, question, context) = QUESTIONS[index];
        json!({ "id": "q", "question": question, "answers": own_answer("", question, context)["answers"] })
    };
    let (printed, stderr) = evaluated(&with_qas(&json!([qa(0), qa(1)])), &[]);
    assert_eq!(printed, "EM 100.00  F1 100.00  (2 questions, 2 windows)\n");
    assert!(stderr.contains("1 question with the id of another"), "{stderr}");
}

#[test]
fn the_output_directory_gets_the_files_of_run_qa() {
    let file = squad(
        |id, question, context| {
            if id == "why" { json!({ "answers": [] }) } else { own_answer(id, question, context) }
        },
    );
    let directory = file.directory.path().join("out");
    let out = directory.to_str().unwrap();
    let model = without_card();
    let args = ["eval", file.name(), "--model", model.name(), "--output-dir", out, "--n-best", "3"];
    let output = blockspan(&args).output().unwrap();
    let printed = stdout(&output);
    assert_eq!(printed.lines().count(), 4, "{printed}");
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(directory.join(name)).unwrap();
        // In the order of the file, four spaces deep.
        let keys = text
            .lines()
            .filter(|line| line.starts_with("    \""))
            .map(|line| line.split('"').nth(1).unwrap());
        assert!(keys.eq(QUESTIONS.map(|question| question.0)), "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let (texts, n_best, odds) =
        (read("predictions.json"), read("nbest_predictions.json"), read("null_odds.json"));
    for (id, question, context) in QUESTIONS {
        let asked = ask(question, context, &["--top-k", "3", "--n-best", "3"]);
        let null_diff = asked["null_diff"].as_f64().unwrap();
        assert!((odds[id].as_f64().unwrap() - null_diff).abs() < 1e-5);
        let spans: Vec<&Value> =
            n_best[id].as_array().unwrap().iter().filter(|span| span["text"] != "").collect();
        let nulls: Vec<&Value> =
            n_best[id].as_array().unwrap().iter().filter(|span| span["text"] == "").collect();
        let [null] = nulls[..] else { panic!("{}", n_best[id]) };
        let score =
            |span: &Value| span["start_logit"].as_f64().unwrap() + span["end_logit"].as_f64().unwrap();
        assert!((score(null) - score(spans[0]) - null_diff).abs() < 1e-4, "{null}");
        for (span, answer) in spans.iter().zip(asked["answers"].as_array().unwrap()) {
            let logit = |span: &Value| span["start_logit"].as_f64().unwrap() as f32;
            assert_eq!((&span["text"], logit(span)), (&answer["text"], logit(answer)));
        }
        let total: f64 =
            n_best[id].as_array().unwrap().iter().map(|span| span["probability"].as_f64().unwrap()).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert_eq!(texts[id], if null_diff > 0.0 { "" } else { spans[0]["text"].as_str().unwrap() });
    }
}

#[test]
fn twins_tell_how_well_null_diff_separates() {
    // Two articles of one paragraph each, so that each question meets the other's passage.
    let article = |context: &str| {
        let here = QUESTIONS.iter().filter(|question| question.2 == context);
        let qas: Vec<Value> = here
            .map(|(id, question, context)| {
                json!({ "id": id, "question": question, "answers": own_answer(id, question, context)["answers"] })
            })
            .collect();
        json!({ "paragraphs": [{ "context": context, "qas": qas }] })
    };
    let text = json!({ "data": [article(PASSAGE), article(OTHER)] }).to_string();
    let odds = |context: fn(&str) -> &str| {
        QUESTIONS.map(|(_, question, own)| ask(question, context(own), &[])["null_diff"].as_f64().unwrap())
    };
    let (with, without) = (odds(|own| own), odds(|own| if own == PASSAGE { OTHER } else { PASSAGE }));
    let pairs = with.iter().flat_map(|a| without.iter().map(move |b| (b - a).signum()));
    let auroc = 0.5 + pairs.sum::<f64>() / 32.0;
    let right =
        with.iter().filter(|odds| **odds <= 0.0).count() + without.iter().filter(|odds| **odds > 0.0).count();
    let model = without_card();
    let twins = ["--model", model.name(), "--unanswerable-twin"];
    let (printed, _) = evaluated(&text, &twins);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "EM 100.00  F1 100.00  (4 questions, 4 windows)");
    assert_eq!(
        lines[1],
        format!("twins  AUROC {auroc:.4} of null_diff  (4 questions with an answer, 4 without)")
    );
    let at_zero = format!("twins  F1 {:.2} with --null-threshold 0, best F1 ", 12.5 * right as f64);
    assert!(lines[2].starts_with(&at_zero) && lines.len() == 3, "{printed}, expected {at_zero}");
    assert_eq!(
        evaluated(&text, &[&twins[..], &["--seed", "5"]].concat()).0,
        printed,
        "there is one other paragraph"
    );

    let (json, _) = evaluated(&text, &["--unanswerable-twin", "--json"]);
    let object: Value = serde_json::from_str(&json).unwrap();
    assert!((object["twins"]["auroc"].as_f64().unwrap() - auroc).abs() < 1e-9, "{json}");
    // What is promised for the best threshold is found there.
    let best = &object["twins"]["best_f1"];
    let threshold = best["null_threshold"].to_string();
    let (json, _) = evaluated(&text, &["--unanswerable-twin", "--json", "--null-threshold", &threshold]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["twins"]["f1"], best["score"], "{json}");

    let unlabeled = TempFile::new("data.json", with_qas(&json!([{ "question": "What?" }])).as_bytes());
    let output = blockspan(&["eval", unlabeled.name(), "--unanswerable-twin"]).output().unwrap();
    assert_refused(&output, &[unlabeled.name(), "no question has an answer"]);
}
