//! Files that cannot be read: one line with the place, what the file seems to be, and the remedy.

use crate::common::{changed, parse, qas, refusal, squad};
use blockspan_squad::Dataset;
use serde_json::{Value, json};

#[track_caller]
fn assert_refused(bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let message = refusal(bytes.as_ref());
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn files_that_are_no_json() {
    for (bytes, parts) in [
        (&b""[..], &["the file is empty"][..]),
        (b" \n\t", &["the file is empty"]),
        (b"\xef\xbb\xbf", &["the file is empty"]),
        (b"<!DOCTYPE html><html>", &["HTML", "raw"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", &["Git LFS", "git lfs pull"]),
        (b"\x1f\x8b\x08\x00", &["gzip", "gunzip"]),
        (b"PK\x03\x04....", &["zip archive", "unzip"]),
        (b"PAR1\x15\x04", &["Parquet", "JSON Lines"]),
        (b"ARROW1\x00\x00", &["Arrow", "JSON Lines"]),
        (b"\xff\xff\xff\xff\x10\x00", &["Arrow stream", "JSON Lines"]),
        (b"id,context,question,answers\n1,a,b,c\n", &["CSV", "JSON Lines"]),
        (b"When was it built?\n", &["not JSON", "expected a SQuAD file"]),
        (b"{\"a\": 1,\n \"Caf\xe9\": 2}", &["not UTF-8 at byte 14 (line 2)", "UTF-8"]),
        (b"\xff\xfe{\x00\x00\xd8", &["UTF-16", "damaged"]),
        (b"\xff\xfe{\x00\x00", &["UTF-16", "damaged"]),
    ] {
        assert_refused(bytes, parts);
    }
    let message = Dataset::read("no/such.json").expect_err("missing").to_string();
    assert!(message.starts_with("no/such.json: cannot read: "), "{message}");
}

#[test]
fn broken_json_is_told_with_line_and_column() {
    let whole = squad(&qas()).to_string();
    for (text, parts) in [
        (
            "{\"data\": [\n {\"paragraphs\": [}]}",
            &["line 2 column 18", "expected value; correct the file"][..],
        ),
        ("{\"data\": [", &["line 1 column 10", "cut short"]),
        (&whole[..300], &["line 1 column 300", "cut short"]),
        ("{\"data\": [],}", &["trailing comma"]),
        ("{\"data\": [{\"title\": NaN}]}", &["line 1", "NaN", "write null"]),
        ("{'data': []}", &["line 1", "Python", "json.dump"]),
        ("{\"data\": None}", &["Python", "json.dump"]),
        (&format!("{whole}\n{whole}\n{}", &whole[..50]), &["line 3 column 50", "cut short"]),
        (&format!("{whole},{whole}"), &["line 1"]),
        (&"[".repeat(100_000), &["recursion limit"]),
    ] {
        assert_refused(text, parts);
    }
}

#[test]
fn other_files_are_named_with_the_remedy() {
    let record = json!({"id": "1", "context": "a b", "question": "a ?", "answers": {"text": ["b"], "answer_start": [2]}});
    for (file, parts) in [
        (json!({"data": []}), &["holds no question", "name a SQuAD file"][..]),
        (json!([]), &["holds no question"]),
        (json!({"data": [{"title": "t", "paragraphs": []}]}), &["holds no question"]),
        (json!({"data": [{"paragraphs": [{"context": "a", "qas": []}]}]}), &["holds no question"]),
        (json!([1, 2]), &["a list that holds a number", "expected SQuAD's"]),
        (json!({"data": [["a"]]}), &["a list that holds a list"]),
        (json!({"data": 5}), &["data is a number", "list of articles"]),
        (json!({"1": "1862", "2": "31 metres"}), &["predictions", "name the file with the questions"]),
        (json!({"1": [{"text": "1862", "probability": 1.0}]}), &["n-best predictions"]),
        (json!({"1": -3.5}), &["null odds"]),
        (json!({"train": [], "validation": []}), &["several parts", "a file of its own"]),
        (json!({"model_type": "bert", "hidden_size": 16}), &["configuration of a model"]),
        (json!({"header": {"dataset": "SQuAD"}}), &["MRQA", "convert"]),
        (json!({"Data": [], "Domain": "web"}), &["TriviaQA", "convert"]),
        (json!({"columns": ["id"], "data": {"0": 1}}), &["orient=\"records\""]),
        (json!({"question": {"0": "a"}, "context": {"0": "b"}}), &["table by columns", "lines=True"]),
        (json!({"question": ["a"], "context": ["b"]}), &["table by columns"]),
        (json!([{"question": "a", "answers": []}]), &["record 0", "without a context"]),
        (json!([record, {"context": "a"}]), &["record 1", "without a question"]),
        (json!([{"text": "a", "label": 1}]), &["the fields label, text", "expected SQuAD's"]),
        (json!({"data": [{}]}), &["no fields"]),
    ] {
        assert_refused(file.to_string(), parts);
    }
}

#[test]
fn a_wrong_field_is_told_with_its_place() {
    let in_question = |name: &str, value: Value| {
        let mut qas = qas();
        qas[1][name] = value;
        squad(&qas)
    };
    let question = "article 0, paragraph 0, question 1: ";
    for (file, parts) in [
        (in_question("id", json!(true)), &[question, "id is true or false; expected a text"][..]),
        (in_question("question", Value::Null), &[question, "question is null"]),
        (in_question("is_impossible", json!("perhaps")), &[question, "is_impossible is a text"]),
        (in_question("answers", json!(5)), &[question, "an answer is a number"]),
        (in_question("answers", json!([{"start": 5}])), &[question, "no field text"]),
        (in_question("answers", json!([{"text": ["a"]}])), &[question, "an answer's text is a list"]),
        (
            in_question("answers", json!({"text": ["a", "b"], "answer_start": [1]})),
            &[question, "2 texts but 1 answer_starts"],
        ),
        (
            changed(|qa| drop(qa.as_object_mut().expect("an object").remove("question"))),
            &["question 0: ", "no field question"],
        ),
        (
            json!({"data": [{"paragraphs": [{"qas": qas()}]}]}),
            &["article 0, paragraph 0: ", "no field context"],
        ),
        (
            json!({"data": [{"paragraphs": [{"context": "a"}]}]}),
            &["article 0, paragraph 0: ", "no field qas"],
        ),
        (json!({"data": [{"paragraphs": {}}]}), &["article 0: ", "paragraphs is an object"]),
        (json!({"data": [{"title": [], "paragraphs": []}]}), &["article 0: ", "title is a list"]),
    ] {
        assert_refused(file.to_string(), parts);
    }
    let good = json!({"context": "a b", "question": "?", "answers": ["b"]});
    let bad = json!({"context": "a b", "question": 5, "answers": ["b"]});
    assert_refused(format!("{good}\n\n{good}\n{bad}\n"), &["line 4: ", "question is a number"]);
}

/// Every value within `value`, each replaced in turn by one of `others`, and removed.
fn variants(value: &Value, others: &[Value]) -> Vec<Value> {
    let mut all = others.to_vec();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let mut without = items.clone();
                without.remove(index);
                all.push(json!(without));
                for variant in variants(item, others) {
                    let mut with = items.clone();
                    with[index] = variant;
                    all.push(json!(with));
                }
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                let mut without = map.clone();
                without.remove(name);
                all.push(json!(without));
                for variant in variants(item, others) {
                    let mut with = map.clone();
                    with.insert(name.clone(), variant);
                    all.push(json!(with));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn any_wrong_value_is_read_or_refused_in_one_line() {
    let others = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1e300),
        json!("\n\u{1b}[31m"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"text": {}}),
    ];
    let record = json!([{"id": "1", "title": "t", "context": "a b", "question": "a ?",
                         "answers": {"text": ["b"], "answer_start": [2]}, "is_impossible": false}]);
    let (mut read, mut refused) = (0, 0);
    for file in [squad(&qas()), record] {
        for variant in variants(&file, &others) {
            match Dataset::parse(variant.to_string().as_bytes(), "data.json") {
                Ok(dataset) => {
                    read += 1;
                    let _ = (dataset.check_answers(), dataset.check_labeled());
                    assert!(dataset.questions().count() > 0);
                }
                Err(error) => {
                    refused += 1;
                    let message = error.to_string();
                    assert!(message.starts_with("data.json: ") && message.lines().count() == 1, "{message}");
                }
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
    parse(squad(&qas()));
}
