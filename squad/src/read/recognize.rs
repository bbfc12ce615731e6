//! What a JSON value seems to be that holds no questions in a known shape, and what to do.

use serde_json::{Map, Value};

use super::fields::kind;

const EXPECTED: &str = "expected SQuAD's {\"data\": [{\"paragraphs\": [{\"context\": …, \"qas\": […]}]}]}, or records \
                        with the fields context, question and answers";

/// A top-level value that is no object and no list.
pub fn value(value: &Value) -> String {
    format!("{} is no data set; {EXPECTED}", kind(value))
}

/// A list of something else than objects.
pub fn items(item: &Value) -> String {
    format!("a list that holds {}; {EXPECTED}", kind(item))
}

/// An object that is no article, paragraph or record.
pub fn object(map: &Map<String, Value>) -> String {
    let has = |names: &[&str]| names.iter().all(|name| map.contains_key(*name));
    let all = |is: fn(&Value) -> bool| !map.is_empty() && map.values().all(is);
    let lists_of_objects =
        |value: &Value| value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_object));
    let what = if has(&["model_type"]) || has(&["architectures"]) {
        "the configuration of a model; name a SQuAD file"
    } else if has(&["header"]) {
        "an MRQA file; convert it to SQuAD (its detected_answers hold the answers with their places)"
    } else if has(&["Data"]) || has(&["QuestionId"]) {
        "a TriviaQA file; convert it to SQuAD"
    } else if has(&["supporting_facts"]) {
        "a HotpotQA file; convert it to SQuAD, one context for each question"
    } else if has(&["document_text"])
        || has(&["annotations", "question_text"])
        || has(&["long_answer_candidates"])
    {
        "a Natural Questions file; convert it to SQuAD, one paragraph for each question"
    } else if has(&["story", "questions"]) {
        "a CoQA file; convert it to SQuAD, with the turns before in each question"
    } else if has(&["completions"]) || has(&["annotations"]) {
        "an export of Label Studio; export it again as SQuAD"
    } else if has(&["positive_ctxs"]) {
        "a file for training retrievers (DPR); name a SQuAD file"
    } else if has(&["columns", "data"]) || has(&["columns", "index"]) {
        "a table in pandas' orient=\"split\"; write it with to_json(orient=\"records\", lines=True)"
    } else if map.get("question").or(map.get("context")).is_some_and(Value::is_object) {
        "a table by columns; write it by rows, with pandas to_json(orient=\"records\", lines=True)"
    } else if map.get("question").or(map.get("context")).is_some_and(Value::is_array) {
        "a table by columns; write a record for each question: id, context, question, answers"
    } else if has(&["question"]) {
        "a question without a context; add the field context"
    } else if has(&["context"]) {
        "a context without a question; add the field question, or qas with a list of questions"
    } else if ["train", "validation", "dev", "test"].iter().any(|split| map.contains_key(*split)) {
        "holds several parts (train, validation, …); write the one to read to a file of its own"
    } else if all(Value::is_string) {
        "looks like predictions by question id; name the file with the questions"
    } else if all(lists_of_objects) {
        "looks like n-best predictions by question id; name the file with the questions"
    } else if all(Value::is_number) {
        "looks like scores or null odds; name the file with the questions"
    } else {
        let names: Vec<&str> = map.keys().take(5).map(String::as_str).collect();
        return format!(
            "an object with {}; {EXPECTED}",
            if names.is_empty() {
                "no fields".to_owned()
            } else {
                format!("the fields {}", names.join(", "))
            }
        );
    };
    what.to_owned()
}
