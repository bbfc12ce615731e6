//! A small data set, to be written in many ways.

use blockspan_squad::{Answer, Dataset};
use serde_json::{Value, json};

pub const CONTEXT: &str = "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks. \
                           Mara Quill kept it until 1901.";

/// Question, answer, and the answer's place in the context.
pub const QUESTIONS: [(&str, &str, usize); 3] = [
    ("When was the lighthouse built?", "1862", 44),
    ("How high does it stand?", "31 metres", 60),
    ("Who kept the lighthouse?", "Mara Quill", 87),
];

/// The questions as SQuAD writes them, with the ids 1 to 3.
pub fn qas() -> Vec<Value> {
    let question = |(id, (question, text, start)): (usize, (&str, &str, usize))| {
        json!({
            "id": id.to_string(), "question": question, "answers": [{"text": text, "answer_start": start}]
        })
    };
    (1..).zip(QUESTIONS).map(question).collect()
}

/// A file in the shape of SQuAD with these questions.
pub fn squad(qas: &[Value]) -> Value {
    json!({"version": "v1", "data": [{"title": "t", "paragraphs": [{"context": CONTEXT, "qas": qas}]}]})
}

/// The base file, each question changed by `change`.
pub fn changed(change: impl FnMut(&mut Value)) -> Value {
    let mut qas = qas();
    qas.iter_mut().for_each(change);
    squad(&qas)
}

pub fn parse(text: impl ToString) -> Dataset {
    let text = text.to_string();
    Dataset::parse(text.as_bytes(), "data.json").unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The one line that refuses a file.
#[track_caller]
pub fn refusal(bytes: &[u8]) -> String {
    let message = match Dataset::parse(bytes, "data.json") {
        Ok(dataset) => panic!("read: {dataset:?}"),
        Err(error) => error.to_string(),
    };
    assert!(message.starts_with("data.json: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

/// Demands the three questions with these ids and their answers.
#[track_caller]
pub fn assert_base(dataset: &Dataset, ids: [&str; 3]) {
    let questions: Vec<_> = dataset.questions().collect();
    assert_eq!(questions.len(), 3, "{dataset:?}");
    for ((paragraph, question), (id, (asked, text, start))) in
        questions.into_iter().zip(ids.into_iter().zip(QUESTIONS))
    {
        assert_eq!(paragraph.context, CONTEXT);
        assert_eq!((question.id.as_str(), question.question.as_str()), (id, asked));
        let answer = Answer { text: text.into(), answer_start: Some(start as i64) };
        assert_eq!((&question.answers[..], question.is_impossible), (&[answer][..], false));
    }
    dataset.check_answers().expect("answers stand in their context");
}
