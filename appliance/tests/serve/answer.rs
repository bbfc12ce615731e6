//! The native request: its answers are those of `ask`.

use blockspan_reader::{RankOptions, Reader, SharedModel};
use serde_json::{Value, json};

use crate::common::{Connection, JSON, PASSAGE, QUESTION, Server, ask, default_model};

const OTHER: &str = "The café 🥐 on Großer Platz was taken over by Hélène Brûlé in 1923.";

#[test]
fn the_body_of_one_question_is_what_ask_prints() {
    let server = Server::start(&["--threads", "2"]);
    let long = [PASSAGE, OTHER].join("\n").repeat(40);
    let hidden = "A \u{202e}trap\u{2066} was laid in 1999.";
    for (question, context) in
        [(QUESTION, PASSAGE), ("Who took over the café?", OTHER), (QUESTION, &long), ("When?", hidden)]
    {
        let asked = ask(&[question, "--context", context]);
        let response = server.post("/v1/answer", &json!({ "question": question, "context": context }));
        response.ok();
        assert_eq!(response.body, asked);
    }
    for (fields, args) in [
        (json!({ "top_k": 4 }), vec!["--top-k", "4"]),
        (
            json!({ "top_k": 4, "n_best": 5, "max_answer_len": 2 }),
            vec!["--top-k", "4", "--n-best", "5", "--max-answer-len", "2"],
        ),
        (json!({ "max_seq_len": 64 }), vec!["--max-seq-len", "64"]),
        (json!({ "max_seq_len": 64, "doc_stride": 8 }), vec!["--max-seq-len", "64", "--doc-stride", "8"]),
        (json!({ "max_query_length": 3 }), vec!["--max-query-length", "3"]),
        (json!({ "null_threshold": -1000.0 }), vec!["--null-threshold", "-1000"]),
    ] {
        let mut request = fields;
        (request["question"], request["context"]) = (QUESTION.into(), long.as_str().into());
        let response = server.post("/v1/answer", &request);
        response.ok();
        assert_eq!(response.body, ask(&[&[QUESTION, "--context", &long], args.as_slice()].concat()));
    }
}

#[test]
fn many_questions_get_their_results_in_order() {
    let server = Server::start(&[]);
    let questions = [QUESTION, "How high is it?", "Where is the lighthouse?"];
    let found = server.post("/v1/answer", &json!({ "questions": questions, "context": PASSAGE })).ok();
    let alone: Vec<Value> = questions
        .iter()
        .map(|question| server.post("/v1/answer", &json!({ "question": question, "context": PASSAGE })).ok())
        .collect();
    assert_eq!(found, json!({ "results": alone }));

    // A list of one is a list.
    let found = server.post("/v1/answer", &json!({ "questions": [QUESTION], "context": PASSAGE })).ok();
    assert_eq!(found, json!({ "results": [alone[0]] }));
    let message = server.post("/v1/answer", &json!({ "questions": [QUESTION, ""], "context": PASSAGE }));
    assert!(message.error(422, "validation").starts_with("questions[1]: "));
}

#[test]
fn documents_are_ranked_as_the_reader_ranks_them() {
    let server = Server::start(&[]);
    let texts = ["The bakery opens at nine.", PASSAGE, "", OTHER];
    let reader = Reader::new(SharedModel::read_file(default_model()).unwrap()).unwrap();
    let options = RankOptions { top_k: 3, per_document: 2, ..RankOptions::default() };
    let ranking = reader.rank(QUESTION, texts, &options).unwrap();

    let documents = json!([
        { "id": "bakery", "text": texts[0] },
        { "id": 7, "text": texts[1], "meta": { "page": 3, "tags": ["a"] } },
        { "text": texts[2] },
        { "text": texts[3], "meta": null },
    ]);
    let request = json!({ "question": QUESTION, "documents": documents, "top_k": 3, "per_document": 2 });
    let found = server.post("/v1/answer", &request).ok();
    let answers = found["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 3);
    for (found, expected) in answers.iter().zip(&ranking.answers) {
        let answer = &expected.answer;
        assert_eq!(found["document"], [json!("bakery"), json!(7), json!(2), json!(3)][expected.document]);
        let places = ["start", "end", "start_char", "end_char", "start_utf16", "end_utf16"];
        let expected_places = [
            answer.start,
            answer.end,
            answer.start_char,
            answer.end_char,
            answer.start_utf16,
            answer.end_utf16,
        ];
        for (name, place) in places.iter().zip(expected_places) {
            assert_eq!(found[name], place, "{name}");
        }
        assert_eq!(found["text"], texts[expected.document][answer.start..answer.end]);
        assert_eq!(found["margin"].to_string(), serde_json::to_string(&expected.margin).unwrap());
    }
    assert_eq!((&answers[0]["document"], &answers[0]["text"]), (&json!(7), &json!("1862")));
    assert_eq!(answers[0]["meta"], json!({ "page": 3, "tags": ["a"] }));
    let unread = found["unread"].as_array().unwrap();
    assert_eq!((unread.len(), &unread[0]["document"]), (1, &json!(2)));
}

#[test]
fn many_clients_get_their_own_answers() {
    let server = Server::start(&["--threads", "2"]);
    let years: Vec<String> = (0..24).map(|number| (1800 + 7 * number).to_string()).collect();
    std::thread::scope(|scope| {
        for (client, path) in ["/v1/answer", "/", "/v1/answer", "/"].into_iter().enumerate() {
            let (years, address) = (&years, server.address);
            scope.spawn(move || {
                let mut connection = Connection::to(address);
                for year in years.iter().cycle().skip(6 * client).take(36) {
                    let context = format!("The lighthouse on Gannet Point was built in {year}.");
                    let body = if path == "/" {
                        json!({ "inputs": { "question": QUESTION, "context": context } })
                    } else {
                        json!({ "question": QUESTION, "context": context })
                    };
                    let found = connection.send("POST", path, &[JSON], body.to_string().as_bytes()).ok();
                    let answer = if path == "/" { &found["answer"] } else { &found["answers"][0]["text"] };
                    assert_eq!(answer, year);
                }
            });
        }
    });
    assert_eq!(server.metric("blockspan_questions_total"), 144.0);
}

#[test]
fn requests_that_make_no_sense() {
    let server = Server::start(&["--max-seq-len", "64"]);
    let context = PASSAGE;
    for (request, reason) in [
        (json!({ "context": context }), "no question; give"),
        (json!({ "question": "q", "questions": ["q"], "context": context }), "give one of them"),
        (json!({ "questions": [], "context": context }), "no question; give"),
        (json!({ "question": "q" }), "no passage; give"),
        (
            json!({ "question": "q", "context": context, "documents": [{ "text": context }] }),
            "give one of them",
        ),
        (json!({ "question": "q", "documents": [] }), "no passage; give"),
        (json!({ "question": "q", "documents": [{ "id": [], "text": "t" }] }), "documents[0].id: give"),
        (json!({ "question": "q", "documents": [{ "id": 1 }] }), "missing field `text`"),
        (json!({ "question": "q", "context": context, "topk": 3 }), "unknown field `topk`"),
        (json!({ "question": "q", "context": context, "top_k": 0 }), "top_k 0: give 1 to 20"),
        (json!({ "question": "q", "context": context, "top_k": 21 }), "top_k 21: give 1 to 20"),
        (json!({ "question": "q", "context": context, "n_best": 65 }), "n_best must be 1 to 64"),
        (json!({ "question": "q", "context": context, "per_document": 1 }), "leave it out"),
        (json!({ "question": "q", "context": context, "max_seq_len": 65 }), "max_seq_len 65: give 8 to 64"),
        (json!({ "question": "q", "context": context, "doc_stride": 64 }), "doc_stride 64: give less than"),
        (json!({ "question": "why ".repeat(100), "context": context }), "shorten it"),
        (json!({ "question": " ", "context": context }), "the question is empty"),
        (json!({ "question": "q", "context": 1 }), "invalid type"),
    ] {
        let message = server.post("/v1/answer", &request).error(422, "validation");
        assert!(message.contains(reason), "{request}: {message}");
    }
}
