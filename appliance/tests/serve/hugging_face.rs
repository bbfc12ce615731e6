//! The task of Hugging Face's inference API: what comes in, what goes out, the pipeline's defaults.

use blockspan_reader::{Decoding, Job, Options, PipelineOptions, Reader, Reply, SharedModel};
use serde_json::{Value, json};

use crate::common::{PASSAGE, QUESTION, Server, default_model};

const UNICODE: &str =
    "𝒜 naïve café 🥐 in Zürich was opened by Hélène Brûlé in 1923; in 1950 it moved to Genève.";

fn task(question: &str, context: &str, parameters: Value) -> Value {
    json!({ "inputs": { "question": question, "context": context }, "parameters": parameters })
}

fn pipeline(question: &str, context: &str, top_k: usize, rules: PipelineOptions) -> Reply {
    let reader = Reader::new(SharedModel::read_file(default_model()).unwrap()).unwrap();
    let options = Options { top_k, decoding: Decoding::Pipeline(rules), ..Options::default() };
    reader.answer(Job::new(question, context).with(options)).unwrap()
}

fn as_json(reply: &Reply) -> Vec<Value> {
    let answer = |answer: &blockspan_reader::Answer| {
        json!({
            "answer": answer.text,
            // A number of 32 bits, as short as it can be told.
            "score": serde_json::to_string(&answer.score).unwrap().parse::<Value>().unwrap(),
            "start": answer.start_char,
            "end": answer.end_char,
        })
    };
    reply.answers.iter().map(answer).collect()
}

#[test]
fn one_answer_is_an_object_and_several_are_a_list() {
    let server = Server::start(&[]);
    let expected = as_json(&pipeline("Who opened the café?", UNICODE, 3, PipelineOptions::default()));
    let best = &expected[..1];
    let ask = |parameters: Value| server.post("/", &task("Who opened the café?", UNICODE, parameters)).ok();
    for parameters in [json!({}), json!({ "top_k": 1 }), json!({ "top_k": null }), Value::Null] {
        assert_eq!([ask(parameters)].as_slice(), best);
    }
    assert_eq!(ask(json!({ "top_k": 3 })), Value::from(expected.clone()));
    let without =
        server.post("/", &json!({ "inputs": { "question": "Who opened the café?", "context": UNICODE } }));
    assert_eq!([without.ok()].as_slice(), best);

    let characters: Vec<char> = UNICODE.chars().collect();
    for answer in &expected {
        let at = |key: &str| answer[key].as_u64().unwrap() as usize;
        assert_eq!(answer["answer"], characters[at("start")..at("end")].iter().collect::<String>());
    }
}

#[test]
fn every_parameter_of_the_pipeline_reaches_it() {
    let server = Server::start(&[]);
    let long = [UNICODE, PASSAGE].join(" ").repeat(6);
    let question = "When was the lighthouse built, and by whom was the café in Zürich opened?";
    let default = PipelineOptions::default();
    for (parameters, rules, max_seq_len) in [
        (json!({ "max_answer_len": 1 }), PipelineOptions { max_answer_len: 1, ..default }, None),
        (json!({ "max_question_len": 4 }), PipelineOptions { max_question_len: 4, ..default }, None),
        (
            json!({ "handle_impossible_answer": true }),
            PipelineOptions { handle_impossible_answer: true, ..default },
            None,
        ),
        (json!({ "align_to_words": false }), PipelineOptions { align_to_words: false, ..default }, None),
        (
            json!({ "max_seq_len": 64, "doc_stride": 16 }),
            PipelineOptions { doc_stride: Some(16), ..default },
            Some(64),
        ),
        (json!({ "max_seq_len": 100_000, "something_else": [1] }), default, None),
    ] {
        let mut parameters = parameters;
        parameters["top_k"] = 5.into();
        let reader = Reader::new(SharedModel::read_file(default_model()).unwrap()).unwrap();
        let options = Options { top_k: 5, max_seq_len, decoding: Decoding::Pipeline(rules) };
        let expected = reader.answer(Job::new(question, long.as_str()).with(options)).unwrap();
        let found = server.post("/", &task(question, &long, parameters.clone())).ok();
        assert_eq!(found, Value::from(as_json(&expected)), "{parameters}");
    }
}

#[test]
fn a_list_is_as_long_as_there_are_answers() {
    let server = Server::start(&[]);
    let found = server.post("/", &task(QUESTION, PASSAGE, json!({ "top_k": 1000 }))).ok();
    let answers = found.as_array().unwrap();
    assert!(answers.len() > 5 && answers.len() <= 64, "{}", answers.len());
}

/// The pipeline raises an error for each of these.
#[test]
fn what_the_pipeline_refuses() {
    let server = Server::start(&[]);
    for (question, context, parameters, reason) in [
        ("", PASSAGE, json!({}), "the question is empty"),
        (QUESTION, " \n", json!({}), "the passage is empty"),
        (QUESTION, PASSAGE, json!({ "top_k": 0 }), "top_k must be 1 to 64"),
        (QUESTION, PASSAGE, json!({ "max_answer_len": 0 }), "max_answer_len must be at least 1"),
        (QUESTION, PASSAGE, json!({ "max_answer_len": -1 }), "expected usize"),
        (QUESTION, PASSAGE, json!({ "max_answer_len": "many" }), "invalid type"),
        (QUESTION, PASSAGE, json!({ "max_seq_len": 4 }), "use 8 to 384"),
        (QUESTION, PASSAGE, json!({ "max_seq_len": 32, "doc_stride": 31 }), "the question has"),
    ] {
        let message = server.post("/", &task(question, context, parameters)).error(422, "validation");
        assert!(message.contains(reason), "{message}");
    }
    for body in [json!({}), json!([]), json!({ "inputs": "text" }), json!({ "inputs": { "question": "q" } })]
    {
        server.post("/", &body).error(422, "validation");
    }
}
