//! What Weaviate's module `qna-transformers` asks.

use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, Server, ask, blockspan};
use crate::packed::with_card;

#[test]
fn answers_come_with_their_question() {
    let server = Server::start(&[]);
    let request = json!({ "text": PASSAGE, "question": QUESTION });
    let asked: Value = serde_json::from_slice(&ask(&[QUESTION, "--context", PASSAGE])).unwrap();
    let expected = json!({
        "text": PASSAGE,
        "question": QUESTION,
        "answer": asked["answers"][0]["text"],
        "certainty": asked["answers"][0]["score"],
    });
    for path in ["/answers/", "/answers"] {
        assert_eq!(server.post(path, &request).ok(), expected);
    }
    // Its client names no type.
    let bytes = request.to_string();
    assert_eq!(server.connect().send("POST", "/answers/", &[], bytes.as_bytes()).ok(), expected);
    server.post("/answers/", &json!({ "text": "", "question": QUESTION })).error(422, "validation");
}

#[test]
fn there_is_no_answer_where_the_models_threshold_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.bspan");
    let asked: Value = serde_json::from_slice(&ask(&[QUESTION, "--context", PASSAGE])).unwrap();
    let null_diff = asked["null_diff"].as_f64().unwrap();
    for (threshold, answers) in [(null_diff - 1.0, false), (null_diff + 1.0, true)] {
        std::fs::write(&path, with_card(&format!("null_threshold: {threshold:.3}\n"))).unwrap();
        let listen = ["serve", "--listen", "127.0.0.1:0", "--model", path.to_str().unwrap()];
        let server = Server::start_command(&mut blockspan(&listen));
        let found = server.post("/answers/", &json!({ "text": PASSAGE, "question": QUESTION })).ok();
        assert_eq!(
            (found["answer"].is_string(), found["certainty"].is_number()),
            (answers, answers),
            "{found}"
        );
        assert!(answers || found["answer"].is_null() && found["certainty"].is_null(), "{found}");
    }
}

#[test]
fn it_looks_whether_the_server_is_there() {
    let server = Server::start(&[]);
    for path in ["/.well-known/ready", "/.well-known/live"] {
        let response = server.get(path);
        assert_eq!((response.status, response.body.len()), (204, 0));
    }
    let meta = server.get("/meta").ok();
    assert_eq!((&meta["name"], &meta["version"]), (&json!("blockspan"), &json!(env!("CARGO_PKG_VERSION"))));
}
