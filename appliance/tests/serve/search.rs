//! Questions to an index.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, Server, ask, blockspan};

/// A folder and its index.
struct Notes {
    directory: tempfile::TempDir,
}

impl Notes {
    fn new() -> Self {
        let notes = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(notes.at("notes")).unwrap();
        notes.write("light.txt", PASSAGE);
        notes.write("copy.md", PASSAGE);
        notes.write("bakery.txt", "The bakery opens at nine. It was founded by Marta Lindqvist.");
        notes.index();
        notes
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at("notes").join(name), text).unwrap();
    }

    fn path(&self) -> String {
        self.at("notes.bsx").to_str().unwrap().to_owned()
    }

    fn index(&self) {
        let args = ["index", self.at("notes").to_str().unwrap(), "--out", &self.path()].map(str::to_owned);
        let output = blockspan(&args.each_ref().map(String::as_str)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn the_body_of_one_question_is_what_ask_prints() {
    let notes = Notes::new();
    let server = Server::start(&["--index", &notes.path(), "--threads", "2"]);
    for (fields, args) in [
        (json!({}), vec![]),
        (json!({ "top_k": 3 }), vec!["--top-k", "3"]),
        (json!({ "top_k": 2, "passages": 1 }), vec!["--top-k", "2", "--passages", "1"]),
        (json!({ "null_threshold": -1000.0 }), vec!["--null-threshold", "-1000"]),
        (json!({ "max_seq_len": 64, "n_best": 5 }), vec!["--max-seq-len", "64", "--n-best", "5"]),
    ] {
        for question in [QUESTION, "Who founded the bakery?", "zzz"] {
            let mut request = fields.clone();
            request["question"] = question.into();
            let response = server.post("/v1/search-answer", &request);
            let found = response.ok();
            assert!(question != QUESTION || fields != json!({}) || found["answers"][0]["text"] == "1862");
            assert_eq!(
                response.body,
                ask(&[&[question, "--index", &notes.path()], args.as_slice()].concat())
            );
        }
    }
    assert!(server.metric(r#"blockspan_requests_total{route="/v1/search-answer",code="200"}"#) == 15.0);
}

#[test]
fn many_questions_get_their_results_in_order() {
    let notes = Notes::new();
    let server = Server::start(&["--index", &notes.path()]);
    let questions = [QUESTION, "Who founded the bakery?", "zzz"];
    let found = server.post("/v1/search-answer", &json!({ "questions": questions })).ok();
    let alone: Vec<Value> = questions
        .iter()
        .map(|question| server.post("/v1/search-answer", &json!({ "question": question })).ok())
        .collect();
    assert_eq!(found, json!({ "results": alone }));
    let one = server.post("/v1/search-answer", &json!({ "questions": [QUESTION] })).ok();
    assert_eq!(one, json!({ "results": [alone[0]] }));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let notes = Notes::new();
    let server = Server::start(&["--index", &notes.path(), "--max-documents", "3", "--max-questions", "2"]);
    let refused = |request: Value, part: &str| {
        let message = server.post("/v1/search-answer", &request).error(422, "validation");
        assert!(message.contains(part), "{message}");
    };
    refused(json!({}), "no question; give question or questions");
    refused(json!({ "question": "a", "questions": ["b"] }), "both question and questions");
    refused(json!({ "question": "" }), "the question is empty");
    refused(json!({ "questions": [QUESTION, " "] }), "questions[1]: the question is empty");
    refused(
        json!({ "question": QUESTION, "passages": 4 }),
        "passages 4: give 1 to 3, or start the server with",
    );
    refused(json!({ "question": QUESTION, "passages": 0 }), "passages 0: give 1 to 3");
    refused(json!({ "question": QUESTION, "top_k": 0 }), "top_k must be at least 1");
    refused(json!({ "question": QUESTION, "doc_stride": 9999 }), "doc_stride 9999");
    refused(json!({ "question": QUESTION, "context": PASSAGE }), "unknown field `context`");
    server.post("/v1/search-answer", &json!({ "questions": ["a", "b", "c"] })).error(413, "too_large");
    // The default is cut to the limit.
    server.post("/v1/search-answer", &json!({ "question": QUESTION })).ok();

    let without = Server::start(&[]);
    let message = without.post("/v1/search-answer", &json!({ "question": QUESTION })).error(404, "not_found");
    assert!(message.contains("start it with --index FILE"), "{message}");
    assert!(without.get("/info").ok().get("index").is_none());

    std::fs::write(notes.path(), "no index").unwrap();
    let output = blockspan(&["serve", "--listen", "127.0.0.1:0", "--index", &notes.path()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("notes.bsx: not an index (wrong magic number); make one"), "{said}");
}

#[cfg(unix)]
#[test]
fn another_index_is_put_to_work() {
    use crate::common::wait_until;
    let notes = Notes::new();
    let server = Server::start(&["--index", &notes.path(), "--threads", "1"]);
    let watching = Server::start(&["--index", &notes.path(), "--threads", "1", "--watch"]);
    assert_eq!(server.get("/info").ok()["index"]["documents"], 3);
    notes.write("new.txt", "The zebra of Gannet Point is called Otto.");
    notes.index();
    let answer = |server: &Server| {
        let found =
            server.post("/v1/search-answer", &json!({ "question": "What is the zebra called?" })).ok();
        found["answers"][0]["text"].clone()
    };
    assert_ne!(answer(&server), "Otto", "the old one stays mapped");
    server.signal("HUP");
    for server in [&server, &watching] {
        wait_until("the other index", || server.metric("blockspan_model_swaps_total") == 1.0);
        assert_eq!(answer(server), "Otto");
        assert_eq!(server.get("/info").ok()["index"]["documents"], 4);
    }
    // A broken one is refused. By renaming: the old one is mapped.
    std::fs::write(notes.at("broken"), &std::fs::read(notes.path()).unwrap()[..500]).unwrap();
    std::fs::rename(notes.at("broken"), notes.path()).unwrap();
    server.signal("HUP");
    server.wait_for_log("the file is incomplete");
    assert_eq!(answer(&server), "Otto");
}
