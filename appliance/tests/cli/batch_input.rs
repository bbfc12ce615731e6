//! What `blockspan batch` reads, and what it says of what it cannot read.

use std::fs;

use serde_json::{Value, json};

use crate::batch::{lines, questions};
use crate::common::{PASSAGE, QUESTION, TempFile, assert_refused, blockspan, piped, stdout};

fn run(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = blockspan(&[&["batch"], args].concat()).output().unwrap();
    (output.status.code(), lines(&String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn a_bad_line_is_an_error_with_its_number_and_the_others_are_answered() {
    let good = |id: Value| json!({"id": id, "question": QUESTION, "context": PASSAGE}).to_string();
    let bad: [(&[u8], Value, &str); 14] = [
        (b"{\"id\": \"cut", json!(null), "not JSON at column 11: EOF while parsing a string; write"),
        (b"[1]", json!(null), "the line is a list; write an object"),
        (b"{\"id\": \"\xff\"}", json!(null), "not UTF-8 at byte 8 of the line; convert"),
        (b"{\"id\": [1]}", json!(null), "id is a list; give a text or a number"),
        (b"{\"id\": \"a\", \"context\": \"c\"}", json!("a"), "question is missing; give"),
        (
            b"{\"id\": \"a\", \"question\": 1, \"context\": \"c\"}",
            json!("a"),
            "question is a number; give a text",
        ),
        (
            b"{\"id\": \"a\", \"question\": \"q\"}",
            json!("a"),
            "no passage; give context, context_file or documents",
        ),
        (
            b"{\"id\": \"a\", \"question\": \"q\", \"context\": \"c\", \"documents\": []}",
            json!("a"),
            "several passages; give one of",
        ),
        (b"{\"id\": 3, \"question\": \"q\", \"documents\": []}", json!(3), "documents is empty; give"),
        (
            b"{\"id\": 3, \"question\": \"q\", \"documents\": [{\"text\": \"t\"}, {\"id\": 1}]}",
            json!(3),
            "documents[1]: text is missing; give",
        ),
        (
            b"{\"id\": 4, \"question\": \"q\", \"context_file\": \"no-such.txt\"}",
            json!(4),
            "no-such.txt: cannot read the passage: No such file",
        ),
        (b"{\"id\": 5, \"question\": \"\", \"context\": \"c\"}", json!(5), "the question is empty; ask"),
        (b"{\"question\": \"q\", \"context\": \" \"}", json!(27), "the passage is empty; give"),
        (
            b"{\"id\": 6, \"question\": \"\", \"documents\": [{\"text\": \"t\"}]}",
            json!(6),
            "the question is empty",
        ),
    ];
    let mut input = Vec::new();
    for (index, (line, ..)) in bad.iter().enumerate() {
        // Blank lines count and are passed over; so are the ends of lines from Windows.
        input.extend_from_slice(if index == 4 { b"\r" } else { line });
        input.extend_from_slice(b"\n");
        input.extend_from_slice(good(index.into()).as_bytes());
        input.extend_from_slice(b"\r\n");
    }
    input.extend_from_slice(bad[4].0);
    let file = TempFile::new("questions.jsonl", &input);
    let (status, answers) = run(&[file.name()]);
    assert_eq!(status, Some(3));
    let (errors, good): (Vec<&Value>, Vec<&Value>) =
        answers.iter().partition(|answer| answer.get("error").is_some());
    assert_eq!(
        good.iter().map(|answer| answer["id"].clone()).collect::<Vec<_>>(),
        (0..14).map(Value::from).collect::<Vec<_>>()
    );
    assert!(good.iter().all(|answer| answer["answers"][0]["text"] == "1862"));
    assert_eq!(errors.len(), bad.len());
    let last = errors.len() - 1;
    for (index, (_, id, message)) in bad.iter().enumerate() {
        // The fifth comes last, without a line end.
        let (error, line) = match index {
            4 => (errors[last], 29),
            _ => (errors[index - usize::from(index > 4)], 1 + 2 * index),
        };
        assert!(error["error"].as_str().unwrap().contains(message), "{error}, expected {message}");
        // A question that has no id goes by its line.
        let id = if *id == json!(27) { json!(1 + 2 * index) } else { id.clone() };
        assert_eq!((&error["id"], &error["line"]), (&id, &json!(line)), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 3, "{error}");
    }
}

#[test]
fn a_context_file_lies_beside_the_input() {
    let file = TempFile::new("passage.txt", PASSAGE.as_bytes());
    let deep = file.directory.path().join("deep");
    fs::create_dir(&deep).unwrap();
    let input = deep.join("questions.jsonl");
    let line = |id: u8| json!({"id": id, "question": QUESTION, "context_file": "../passage.txt"}).to_string();
    fs::write(&input, line(1) + "\n" + &line(2)).unwrap();
    let (status, answers) = run(&[input.to_str().unwrap()]);
    assert_eq!((status, answers.len()), (Some(0), 2));
    assert_eq!(
        (&answers[0]["answers"], &answers[0]["answers"][0]["text"]),
        (&answers[1]["answers"], &json!("1862"))
    );

    // From standard input, the place is the working directory.
    let mut command = blockspan(&["batch", "-"]);
    let output = piped(command.current_dir(&deep), line(1).as_bytes());
    assert_eq!(lines(&stdout(&output))[0], answers[0]);
}

#[test]
fn tables_squad_and_lines_give_the_same_answers() {
    let comma = "It was built, they say, in \"1862\".\nIt is 31 metres high.";
    let rows = [("a", QUESTION, PASSAGE), ("b", "How high is it?", comma)];
    let files = TempFile::new("lines.jsonl", &[]);
    let at = |name: &str| files.directory.path().join(name).to_str().unwrap().to_owned();
    let text: Vec<String> = rows
        .iter()
        .map(|(id, question, context)| {
            json!({"id": id, "question": question, "context": context}).to_string()
        })
        .collect();
    fs::write(at("lines.jsonl"), text.join("\n")).unwrap();
    let quoted = comma.replace('"', "\"\"");
    // With a byte-order mark, other columns and the ends of lines of a spreadsheet.
    let csv = format!(
        "\u{feff}Question,note,ID,Context\r\n{QUESTION},,a,{PASSAGE}\r\nHow high is it?,n,b,\"{quoted}\"\r\n"
    );
    fs::write(at("table.csv"), &csv).unwrap();
    fs::write(
        at("table.tsv"),
        format!("id\tquestion\tcontext\na\t{QUESTION}\t{PASSAGE}\nb\tHow high is it?\t\"{quoted}\"\n"),
    )
    .unwrap();
    let paragraphs: Vec<Value> = rows
        .iter()
        .map(|(id, question, context)| json!({"context": context, "qas": [{"id": id, "question": question, "answers": []}]}))
        .collect();
    fs::write(at("squad.json"), json!({"data": [{"title": "t", "paragraphs": paragraphs}]}).to_string())
        .unwrap();

    let expected = run(&[&at("lines.jsonl")]);
    assert_eq!((expected.0, expected.1.len()), (Some(0), 2));
    for name in ["table.csv", "table.tsv", "squad.json"] {
        assert_eq!(run(&[&at(name)]), expected, "{name}");
    }
    fs::copy(at("table.csv"), at("table.data")).unwrap();
    assert_eq!(run(&[&at("table.data"), "--format", "csv"]), expected);

    // Several files, one after another; an error tells its file.
    fs::write(at("bad.csv"), "question,context\nq\n").unwrap();
    let (status, answers) = run(&[&at("lines.jsonl"), &at("bad.csv"), &at("squad.json")]);
    assert_eq!((status, answers.len()), (Some(3), 5));
    assert_eq!([&answers[..2], &answers[3..]], [&expected.1[..], &expected.1[..]]);
    assert_eq!(
        (&answers[2]["file"], &answers[2]["line"], &answers[2]["id"]),
        (&json!(at("bad.csv")), &json!(2), &json!(null))
    );
    let error = answers[2]["error"].as_str().unwrap();
    assert!(error.starts_with("1 fields, where the first row has 2; correct the row"), "{error}");
}

#[test]
fn files_that_hold_no_questions_are_refused() {
    for (name, text, parts) in [
        ("t.csv", "id,text\n1,a\n", ["columns id, text", "name columns question, and context"]),
        ("t.csv", "question,context,context_file\n", ["context and context_file", "give one"]),
        ("t.json", "{\"data\": 1}", ["t.json", "data"]),
    ] {
        let file = TempFile::new(name, text.as_bytes());
        assert_refused(&blockspan(&["batch", file.name()]).output().unwrap(), &parts);
    }
}

#[test]
fn an_empty_file_has_no_answers_and_a_quote_without_end_is_one_row() {
    let empty = TempFile::new("empty.jsonl", b"");
    assert_eq!(run(&[empty.name()]), (Some(0), Vec::new()));
    let quote = TempFile::new("t.csv", format!("question,context\nq,\"{}", "line\n".repeat(1000)).as_bytes());
    let (status, answers) = run(&[quote.name()]);
    assert_eq!((status, answers.len()), (Some(0), 1));
}

/// More than is ever in flight, through a window of one session.
#[test]
fn order_holds_over_many_lines() {
    let (status, answers) =
        run(&[TempFile::new("q.jsonl", questions(150).as_bytes()).name(), "--sessions", "2"]);
    assert_eq!(status, Some(0));
    let ids: Vec<String> = answers.iter().map(|answer| answer["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..150).map(|number| format!("q{number}")).collect::<Vec<_>>());
}
