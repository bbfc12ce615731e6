//! The choice of another paragraph for a question.

use std::collections::BTreeMap;

use blockspan_squad::{Dataset, other_paragraph, twins};
use serde_json::json;

/// Articles of paragraphs; each asks for its first word.
fn dataset(articles: &[&[&str]]) -> Dataset {
    let paragraph = |context: &&str| {
        let answer = context.split(' ').next();
        json!({"context": context, "qas": [
            {"id": context, "question": "Which?", "answers": [{"text": answer, "answer_start": 0}]},
            {"id": format!("{context} not"), "question": "Which?", "answers": [], "is_impossible": true}]})
    };
    let article =
        |contexts: &&[&str]| json!({"paragraphs": contexts.iter().map(paragraph).collect::<Vec<_>>()});
    let file = json!({"data": articles.iter().map(article).collect::<Vec<_>>()});
    Dataset::parse(file.to_string().as_bytes(), "data.json").expect("a data set")
}

/// How often each paragraph is chosen for the first question of a paragraph, over many seeds.
fn counts(dataset: &Dataset, paragraph: usize, same_article: bool) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for seed in 0..600 {
        let chosen = other_paragraph(dataset, paragraph, 0, same_article, seed).expect("there is one");
        assert_eq!(other_paragraph(dataset, paragraph, 0, same_article, seed), Some(chosen), "seed {seed}");
        *counts.entry(chosen).or_default() += 1;
    }
    counts
}

#[test]
fn a_paragraph_of_the_same_article_without_the_answer_is_drawn() {
    let dataset =
        dataset(&[&["red one", "green two", "blue and Red", "black four", "white"], &["gray", "pink red"]]);
    let counts = counts(&dataset, 0, true);
    assert!(counts.keys().eq([&1, &3, &4]), "{counts:?}");
    assert!(counts.values().all(|&count| (140..260).contains(&count)), "about equally often: {counts:?}");
}

#[test]
fn other_articles_are_drawn_on_request() {
    let dataset = dataset(&[&["red one", "green two"], &["gray", "pink red"], &["white"]]);
    assert!(counts(&dataset, 0, false).keys().eq([&2, &4]));
}

#[test]
fn a_paragraph_alone_in_its_article_takes_one_of_another() {
    let dataset = dataset(&[&["red one", "dark red", "red one"], &["gray"], &["a red one"]]);
    assert!(counts(&dataset, 0, true).keys().eq([&3]), "all others hold the answer");
    assert!(counts(&dataset, 3, true).keys().eq([&0, &1, &2, &4]), "none besides");
}

#[test]
fn nothing_is_drawn_where_nothing_fits() {
    let dataset = dataset(&[&["red one", "dark red"]]);
    assert_eq!(other_paragraph(&dataset, 0, 0, true, 1), None, "the only other one holds the answer");
    assert_eq!(other_paragraph(&dataset, 0, 1, true, 1), None, "a question without answers");
    assert_eq!(other_paragraph(&dataset, 0, 2, true, 1), None, "no such question");
    assert_eq!(other_paragraph(&dataset, 2, 0, true, 1), None, "no such paragraph");
    assert_eq!(other_paragraph(&Dataset::default(), 0, 0, true, 1), None);
}

#[test]
fn questions_of_one_paragraph_draw_independently() {
    let contexts: Vec<String> = (0..40).map(|index| format!("word{index} of many")).collect();
    let contexts: Vec<&str> = contexts.iter().map(String::as_str).collect();
    let dataset = dataset(&[&contexts]);
    let drawn = (0..40).filter_map(|paragraph| other_paragraph(&dataset, paragraph, 0, true, 7));
    let drawn: std::collections::BTreeSet<usize> = drawn.collect();
    assert!(drawn.len() > 15, "{drawn:?}");
}

#[test]
fn every_question_with_an_answer_has_a_twin_on_another_paragraph() {
    let dataset = dataset(&[&["red one", "green two", "blue three"], &["gray", "red"]]);
    let both = twins(&dataset, 3);
    let (original, twin): (Vec<_>, Vec<_>) = both.questions().partition(|(_, q)| !q.id.ends_with("-twin"));
    assert_eq!(original.len(), dataset.questions().count(), "the file's own questions come first");
    assert!(original.iter().zip(dataset.questions()).all(|(a, b)| *a == b));
    let answered = dataset.questions().filter(|(_, question)| !question.is_unanswerable());
    assert_eq!(twin.len(), 5);
    for ((other, twin), (own, question)) in twin.into_iter().zip(answered) {
        assert_eq!((&twin.id, &twin.question), (&format!("{}-twin", question.id), &question.question));
        assert!(twin.is_impossible && twin.answers.is_empty());
        assert!(!other.context.contains(&question.answers[0].text), "{}", other.context);
        assert_eq!(other.article, own.article, "there is one in each article");
    }
    assert_eq!(twins(&dataset, 3), both);
    assert!((4..40).any(|seed| twins(&dataset, seed) != both), "the seed decides");
}

#[test]
fn twins_have_ids_of_their_own() {
    let file = json!({"data": [{"paragraphs": [
        {"context": "red", "qas": [
            {"id": "a", "question": "?", "answers": ["red"]}, {"id": "a-twin", "question": "?", "answers": ["red"]}]},
        {"context": "blue", "qas": []}]}]});
    let dataset = Dataset::parse(file.to_string().as_bytes(), "data.json").expect("a data set");
    let both = twins(&dataset, 0);
    let ids: std::collections::BTreeSet<&str> = both.questions().map(|(_, q)| q.id.as_str()).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
}
