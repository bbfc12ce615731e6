//! `blockspan ask`: its JSON, its text, where passages come from, equal results on every machine.

use std::process::Stdio;

use blockspan_engine::available;
use serde_json::Value;

use crate::common::{
    PASSAGE, QUESTION, TempFile, ask, blockspan, default_model, piped, stdout, without_card,
};

const UNICODE: &str = "Zoë Müller opened her Café «Übermut» in 北京 in 1987. 😀 The naïve façade—painted by \
                       Søren Łukasz—cost 4 000 €.\r\nIn Αθήνα she opened another, named Ἀκρόπολις.";

fn floats(object: &Value, keys: &[&str]) -> Vec<(String, f32)> {
    keys.iter().map(|&key| (key.to_owned(), object[key].as_f64().unwrap() as f32)).collect()
}

#[test]
fn the_json_is_one_line_with_its_fields_in_the_documented_order() {
    let model = without_card();
    let args = ["ask", QUESTION, "--context", PASSAGE, "--json", "--top-k", "3", "--model", model.name()];
    let line = stdout(&blockspan(&args).output().unwrap());
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.ends_with('\n'));
    let answer = r#"{"text": ,"start": ,"end": ,"start_char": ,"end_char": ,"score": ,"start_logit": ,"end_logit": ,"start_utf16": ,"end_utf16": }"#;
    let expected = format!(r#"{{"question": ,"answers": [{answer},{answer},{answer}],"null_diff": }}"#);
    assert_eq!(skeleton(&line), skeleton(&expected));

    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["question"], QUESTION);
    let answers = object["answers"].as_array().unwrap();
    let scores: Vec<f64> = answers.iter().map(|answer| answer["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| (0.0..=1.0).contains(score)));

    // Numbers are the shortest that give the same f32 back.
    let mut numbers = floats(&object, &["null_diff"]);
    numbers.extend(answers.iter().flat_map(|answer| floats(answer, &["score", "start_logit", "end_logit"])));
    assert_eq!(numbers.len(), 10);
    for (key, number) in numbers {
        let field = format!("{key:?}:{}", serde_json::to_string(&number).unwrap());
        assert!(line.contains(&field), "no {field} in {line}");
    }
}

/// Keys and punctuation of a JSON text, without its values.
fn skeleton(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json.trim();
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = 2 + rest[1..].find('"').unwrap();
            if rest[end..].starts_with(':') {
                out.push_str(&rest[..end]);
            }
            rest = &rest[end..];
        } else {
            if "{}[]:,".contains(c) {
                out.push(c);
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[test]
fn offsets_count_bytes_characters_and_utf16_of_the_passage() {
    let characters: Vec<char> = UNICODE.chars().collect();
    let units: Vec<u16> = UNICODE.encode_utf16().collect();
    for question in ["Who painted the façade?", "Where is the Café?", "What is in Αθήνα?", "😀?"] {
        let object = ask(question, UNICODE, &["--top-k", "20"]);
        let answers = object["answers"].as_array().unwrap();
        assert!(!answers.is_empty());
        for answer in answers {
            let at = |key: &str| answer[key].as_u64().unwrap() as usize;
            let text = answer["text"].as_str().unwrap();
            assert!(!text.is_empty());
            assert_eq!(text, &UNICODE[at("start")..at("end")]);
            assert_eq!(text, characters[at("start_char")..at("end_char")].iter().collect::<String>());
            let units = &units[at("start_utf16")..at("end_utf16")];
            assert_eq!(text, String::from_utf16(units).unwrap());
        }
    }
}

#[test]
fn the_passage_may_come_from_an_argument_a_file_or_standard_input() {
    for (question, passage) in [(QUESTION, PASSAGE), ("Where is the Café?", UNICODE)] {
        let file = TempFile::new("passage.txt", passage.as_bytes());
        let argument = blockspan(&["ask", question, "--json", "--context", passage]).output().unwrap();
        let from_file =
            blockspan(&["ask", question, "--json", "--context-file", file.name()]).output().unwrap();
        let from_stdin = piped(&mut blockspan(&["ask", question, "--json"]), passage.as_bytes());
        assert_eq!(stdout(&argument), stdout(&from_file));
        assert_eq!(stdout(&argument), stdout(&from_stdin));
    }
}

#[test]
fn the_default_model_is_the_committed_file() {
    let model = default_model();
    let named = ask(QUESTION, PASSAGE, &["--model", model.to_str().unwrap()]);
    assert_eq!(named, ask(QUESTION, PASSAGE, &[]));
}

#[test]
fn instruction_sets_and_threads_give_the_same_bits() {
    let passage = [PASSAGE, UNICODE].join("\n").repeat(4);
    // Several windows, the last of them short.
    let args = ["ask", QUESTION, "--context", &passage, "--json", "--top-k", "20", "--max-seq-len", "96"];
    let expected = stdout(&blockspan(&args).args(["--isa", "scalar", "--threads", "1"]).output().unwrap());
    for isa in available() {
        for threads in ["1", "2", "3", "8"] {
            let overrides = ["--isa", isa.name(), "--threads", threads];
            let flags = stdout(&blockspan(&args).args(overrides).output().unwrap());
            assert_eq!(flags, expected, "{isa}, {threads} threads");
        }
        let variable = blockspan(&args).env("BLOCKSPAN_ISA", isa.name()).output().unwrap();
        assert_eq!(stdout(&variable), expected, "BLOCKSPAN_ISA={isa}");
    }
}

#[test]
fn the_isa_flag_and_variable_choose_and_the_flag_wins() {
    let args = ["ask", QUESTION, "--context", PASSAGE, "-v", "--threads", "3"];
    for isa in available() {
        let used = format!("isa {isa}, threads 3");
        let by_variable = blockspan(&args).env("BLOCKSPAN_ISA", isa.name()).output().unwrap();
        let by_flag = blockspan(&args).args(["--isa", isa.name()]).env("BLOCKSPAN_ISA", "scalar").output();
        for output in [by_variable, by_flag.unwrap()] {
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.contains(&used), "no {used:?} in {stderr}");
        }
    }
}

#[test]
fn text_shows_the_answer_marked_in_its_line_and_no_timing() {
    let object = ask(QUESTION, PASSAGE, &[]);
    let answer = object["answers"][0]["text"].as_str().unwrap();
    let output = blockspan(&["ask", QUESTION, "--context", PASSAGE]).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = stdout(&output);
    assert_eq!(text.lines().next(), Some(answer));
    assert!(text.contains(&format!("1 | {}", PASSAGE.replacen(answer, &format!("[{answer}]"), 1))), "{text}");
    let place = format!("bytes {}..{}", object["answers"][0]["start"], object["answers"][0]["end"]);
    assert!(text.contains(&place), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn decoding_flags_bound_the_answers() {
    let words = |answer: &Value| answer["text"].as_str().unwrap().split_whitespace().count();
    let object = ask(QUESTION, PASSAGE, &["--max-answer-len", "1", "--n-best", "5", "--top-k", "5"]);
    let answers = object["answers"].as_array().unwrap();
    assert!(answers.len() <= 5 && answers.iter().all(|answer| words(answer) == 1), "{object}");
    let sum: f64 = answers.iter().map(|answer| answer["score"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "the scores are a softmax over the spans kept: {sum}");
}

#[test]
fn no_answer_above_the_null_threshold() {
    let all = ask(QUESTION, PASSAGE, &["--top-k", "20"]);
    let null_diff = all["null_diff"].as_f64().unwrap() as f32;
    let with = |threshold: f32| {
        ask(QUESTION, PASSAGE, &["--top-k", "20", "--null-threshold", &threshold.to_string()])
    };
    let below = with(null_diff - 0.25);
    assert_eq!(below["answers"], serde_json::json!([]));
    assert_eq!(below["null_diff"], all["null_diff"]);
    assert_eq!(with(f32::INFINITY), all);

    // At the threshold there is an answer.
    assert_eq!(with(null_diff)["answers"][0]["text"], all["answers"][0]["text"]);

    let threshold = (null_diff - 0.25).to_string();
    let args = ["ask", QUESTION, "--context", PASSAGE, "--null-threshold", &threshold];
    let text = stdout(&blockspan(&args).output().unwrap());
    assert!(text.starts_with("no answer\n  null_diff ") && text.contains(&threshold), "{text}");
}

#[test]
fn a_long_question_is_cut_where_that_is_asked_for() {
    let long = format!("{QUESTION} {}", "and then ".repeat(300));
    let cut = ask(&long, PASSAGE, &["--max-query-length", "6"]);
    let whole = ask(QUESTION, PASSAGE, &[]);
    assert_eq!((&cut["answers"], &cut["null_diff"]), (&whole["answers"], &whole["null_diff"]));
    assert_eq!(cut["question"], long);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut command = blockspan(&["ask", QUESTION]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Gone before the passage, hence before the answer.
    drop(child.stdout.take());
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), PASSAGE.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
