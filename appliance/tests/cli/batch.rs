//! `blockspan batch`: its answers are those of `ask`, in the order of the input.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use blockspan_engine::available;
use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, TempFile, ask, assert_refused, blockspan, piped, stdout, with_card};

/// A question of every kind, in lines of JSON.
pub fn questions(count: usize) -> String {
    let line = |number: usize| {
        let passage = format!("{PASSAGE} {}", "Gulls nest on the rocks. ".repeat(number % 7));
        let question = ["How high is the lighthouse?", QUESTION, "What nests on the rocks?"][number % 3];
        json!({"id": format!("q{number}"), "question": question, "context": passage}).to_string() + "\n"
    };
    (0..count).map(line).collect()
}

pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_line_is_that_of_ask_with_the_id_before_it() {
    let input = questions(9);
    let options = ["--top-k", "3", "--n-best", "7", "--max-answer-len", "5", "--max-seq-len", "64"];
    let output = piped(blockspan(&["batch", "-"]).args(options), input.as_bytes());
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 9);
    for (question, line) in lines(&input).iter().zip(text.lines()) {
        let args = ["ask", question["question"].as_str().unwrap(), "--json", "--context"];
        let mut command = blockspan(&args);
        command.arg(question["context"].as_str().unwrap()).args(options);
        let asked = stdout(&command.output().unwrap());
        let id = question["id"].as_str().unwrap();
        assert_eq!(line, format!("{{\"id\":\"{id}\",{}", asked.trim_end().strip_prefix('{').unwrap()));
    }
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("9 questions, ") && stderr.contains("; errors 0; isa "), "{stderr}");
}

#[test]
fn sessions_and_instruction_sets_change_no_byte() {
    let file = TempFile::new("questions.jsonl", questions(25).as_bytes());
    let run = |more: &[&str]| stdout(&blockspan(&["batch", file.name()]).args(more).output().unwrap());
    let expected = run(&["--sessions", "1", "--isa", "scalar"]);
    for sessions in ["1", "2", "7"] {
        assert_eq!(run(&["--sessions", sessions]), expected, "{sessions} sessions");
    }
    for isa in available() {
        assert_eq!(run(&["--isa", isa.name()]), expected, "{isa}");
    }
}

#[test]
fn the_answers_of_documents_are_ranked_and_name_their_document() {
    let documents = json!([
        {"id": "bakery", "text": "The bakery opens at nine in the morning."},
        {"id": 7, "text": PASSAGE, "meta": {"page": 3}},
        {"id": "empty", "text": ""},
        {"text": "The lighthouse of Skerry was built in 1911."},
    ]);
    let line = json!({"id": 1, "question": QUESTION, "documents": documents}).to_string();
    let object = &lines(&stdout(&piped(&mut blockspan(&["batch", "-", "--top-k", "3"]), line.as_bytes())))[0];
    let answers = object["answers"].as_array().unwrap();
    let named: Vec<_> = answers.iter().map(|answer| (&answer["document"], &answer["text"])).collect();
    assert_eq!(named[..2].iter().filter(|(document, _)| **document == json!(7)).count(), 1, "{object}");
    assert_eq!(named[..2].iter().filter(|(document, _)| **document == json!(3)).count(), 1, "{object}");
    assert_eq!(named[2].0, "bakery");
    let of_seven = answers.iter().find(|answer| answer["document"] == 7).unwrap();
    assert_eq!((&of_seven["text"], &of_seven["meta"]), (&json!("1862"), &json!({"page": 3})));
    assert!(answers.iter().all(|answer| (answer["document"] == 7) == answer.get("meta").is_some()));
    assert_eq!(object["unread"][0]["document"], "empty");

    // Each is what its document alone gives; the margins are in order, and the least null difference is on top.
    let alone = ask(QUESTION, PASSAGE, &[]);
    for (key, value) in alone["answers"][0].as_object().unwrap() {
        assert_eq!(&of_seven[key], value, "{key}");
    }
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    assert_eq!(number(&of_seven["margin"]), -number(&alone["null_diff"]));
    assert!(answers.is_sorted_by(|a, b| number(&a["margin"]) >= number(&b["margin"])));
    assert_eq!(number(&object["null_diff"]), -number(&answers[0]["margin"]));

    let two = ["batch", "-", "--top-k", "3", "--per-document", "2"];
    let object = &lines(&stdout(&piped(&mut blockspan(&two), line.as_bytes())))[0];
    let best = &object["answers"][0]["document"];
    let same = object["answers"].as_array().unwrap().iter().filter(|answer| answer["document"] == *best);
    assert!(same.count() <= 2, "{object}");
}

#[test]
fn the_models_probability_comes_last_and_a_threshold_empties_the_answers() {
    let card = "null_threshold: -100\nanswerable_slope: -0.5\nanswerable_intercept: -2\n";
    let model = TempFile::new("model.bspan", &with_card(card));
    let run = |more: &[&str]| {
        let mut command = blockspan(&["batch", "-", "--model", model.name()]);
        stdout(&piped(command.args(more), questions(1).as_bytes()))
    };
    let plain = run(&[]);
    let object = &lines(&plain)[0];
    assert_eq!(object["answers"].as_array().unwrap().len(), 1, "the file's threshold takes nothing away");
    assert!(plain.rfind("\"answerable\":") > plain.rfind("\"null_diff\":"), "{plain}");
    assert_eq!(run(&["--always-answer"]), plain);
    let none = run(&["--null-threshold=-1000"]);
    assert_eq!(lines(&none)[0]["answers"], json!([]));
    assert_eq!(lines(&none)[0]["answerable"], object["answerable"]);
}

/// A program may ask line by line.
#[test]
fn an_answer_is_written_while_the_next_question_is_not_there() {
    let mut command = blockspan(&["batch", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut ask, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for (number, line) in questions(3).lines().enumerate() {
        ask.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(lines(&answer)[0]["id"], format!("q{number}"));
    }
    drop(ask);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_of_the_output_that_goes_away_is_no_error() {
    let file = TempFile::new("questions.jsonl", questions(400).as_bytes());
    let mut child =
        blockspan(&["batch", file.name()]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn refusals() {
    let file = TempFile::new("questions.jsonl", questions(1).as_bytes());
    let name = file.name();
    let directory = file.directory.path().to_str().unwrap();
    for (args, parts) in [
        (&["no-such-file"][..], &["no-such-file", "cannot read the questions", "name a file"][..]),
        (&[directory], &[directory, "is a directory", "name the files"]),
        (&["-", "-"], &["standard input", "give - once"]),
        (&["-", "--model", "-"], &["--model -", "name a file"]),
        (&[name, "--resume"], &["--resume", "give --out FILE"]),
        (&[name, "--resume", "--out", "-"], &["--resume", "give --out FILE"]),
        (&[name, "--out", name], &[name, "is the input, too"]),
        (&[name, "--out", directory], &[directory, "it is a directory"]),
        (&[name, "--expect", "no-such-file"], &["no-such-file", "name a file"]),
        (&[name, "--top-k", "21"], &["--top-k 21", "raise --n-best"]),
        (&[name, "--isa", "mmx"], &["--isa mmx"]),
    ] {
        let args = [&["batch"], args].concat();
        assert_refused(&blockspan(&args).output().unwrap(), parts);
    }
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 1, "no file is left behind");
}
