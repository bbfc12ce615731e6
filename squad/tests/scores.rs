//! Scores of predictions over small files of both versions.

use std::collections::BTreeMap;

use blockspan_squad::{Dataset, Scores, evaluate};

const V1: &str = r#"{"version": "1.1", "data": [
  {"title": "Cats", "paragraphs": [
    {"context": "Ωmega the cat sat.", "qas": [
      {"id": "q1", "question": "Who sat?", "answers": [
        {"text": "the cat", "answer_start": 6}, {"text": "Ωmega the cat", "answer_start": 0}]},
      {"id": "q2", "question": "What did it do?", "answers": [{"text": "sat", "answer_start": 14}]}]}]}]}"#;

fn parse(text: &str) -> Dataset {
    Dataset::parse(text.as_bytes(), "cats.json").expect("a data set")
}

fn predictions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(id, text)| (id.to_owned(), text.to_owned())).collect()
}

#[test]
fn reads_version_1() {
    let dataset = parse(V1);
    assert_eq!(dataset.paragraphs.len(), 1);
    let (paragraph, question) = dataset.questions().next().expect("a question");
    assert_eq!(paragraph.title, "Cats");
    assert!(!question.is_impossible);
    // answer_start counts characters, and the first takes two bytes.
    assert_eq!(question.answers[0].byte_range(&paragraph.context), Some(7..14));
    dataset.check_answers().expect("answers stand in their context");
}

#[test]
fn scores_take_the_best_answer_of_each_measure() {
    let dataset = parse(V1);
    let scores = evaluate(&dataset, &predictions(&[("q1", "Cat!"), ("q2", "sat down")]));
    let f1 = 100.0 * (1.0 + 2.0 / 3.0) / 2.0;
    assert_eq!((scores.exact_match, scores.total), (50.0, 2));
    assert!((scores.f1 - f1).abs() < 1e-9, "{scores:?}");
    let missing = evaluate(&dataset, &predictions(&[("q1", "cat")]));
    assert_eq!(missing, Scores { exact_match: 50.0, f1: 50.0, total: 2 });
}

#[test]
fn version_2_rewards_silence_where_there_is_no_answer() {
    let text = V1.replace(
        r#""answers": [{"text": "sat", "answer_start": 14}]"#,
        r#""answers": [], "is_impossible": true"#,
    );
    let dataset = parse(&text);
    let silent = evaluate(&dataset, &predictions(&[("q1", ""), ("q2", "")]));
    assert_eq!(silent, Scores { exact_match: 50.0, f1: 50.0, total: 2 });
    let loud = evaluate(&dataset, &predictions(&[("q1", "the cat"), ("q2", "sat")]));
    assert_eq!(loud, Scores { exact_match: 50.0, f1: 50.0, total: 2 });
}
