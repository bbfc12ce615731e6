//! Windows without an answer, drawn from the other paragraphs of an article.

mod common;

use std::collections::BTreeSet;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::features::{Feature, Labels, WindowOptions, features};
use blockspan_trainer::tokenizer::Tokenizer;
use blockspan_trainer::train::unanswerable::Unanswerable;

const WINDOWS: WindowOptions = WindowOptions { max_seq_len: 16, doc_stride: 4 };

/// Two articles; "the red cat" is in two paragraphs of the first, and the second's question 9 has no answer.
const DATA: &str = r#"{"data": [
  {"title": "cats", "paragraphs": [
    {"context": "the red cat sat on a mat .", "qas": [
      {"id": "1", "question": "who sat ?", "answers": [{"text": "the red cat", "answer_start": 0}]},
      {"id": "2", "question": "where did the cat ?", "answers": [{"text": "a mat", "answer_start": 19}]}]},
    {"context": "on the tree sat the red cat , the blue bird flew under the sky on two tree one mat two dog .", "qas": [
      {"id": "3", "question": "who flew ?", "answers": [{"text": "blue bird", "answer_start": 34}]}]},
    {"context": "one dog ran under the tree .", "qas": []}]},
  {"title": "dogs", "paragraphs": [
    {"context": "two dogs ran , one green tree .", "qas": [
      {"id": "4", "question": "what ran ?", "answers": [{"text": "two dogs", "answer_start": 0}]},
      {"id": "9", "question": "what sat ?", "answers": [], "is_impossible": true}]},
    {"context": "a blue tree on a mat .", "qas": [
      {"id": "5", "question": "what blue ?", "answers": [{"text": "tree", "answer_start": 7}]}]}]}]}"#;

/// The data set, its tokenizer, its windows, and what makes windows without an answer of them.
fn prepared(rate: f64, seed: u64) -> Result<(Dataset, Tokenizer, Vec<Feature>, Unanswerable)> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    let tokenizer = Tokenizer::read(&root.path().join("base"))?;
    let dataset = Dataset::parse(DATA.as_bytes(), "data.json")?;
    let windows = features(&dataset, &tokenizer, WINDOWS, Labels::Train)?;
    let mut unanswerable = Unanswerable::new(rate, seed, WINDOWS, &tokenizer);
    unanswerable.add(dataset.clone(), &windows, &tokenizer)?;
    Ok((dataset, tokenizer, windows, unanswerable))
}

/// What a window is to the network.
fn read(window: &Feature) -> (Vec<u32>, (usize, usize)) {
    (window.input_ids.clone(), window.answer)
}

#[test]
fn a_drawn_window_is_labeled_cls_and_its_passage_holds_no_answer() -> Result<()> {
    let (dataset, tokenizer, windows, mut unanswerable) = prepared(0.9, 5)?;
    let questions: Vec<_> = dataset.questions().collect();
    let mut data = windows.clone();
    let mut articles = [0, 0];
    for epoch in 0..200 {
        unanswerable.draw(&mut data, epoch);
        for (new, old) in data.iter().zip(&windows) {
            assert_eq!(new.question_ids(), old.question_ids(), "the question stays");
            if read(new) == read(old) {
                continue;
            }
            let (own, question) = questions[old.question];
            assert!(!question.answers.is_empty(), "{} has no answer to lose", question.id);
            assert_eq!(new.answer, (0, 0));
            let is_read = |context: &str| tokenizer.tokens(context).is_ok_and(|t| t.ids == new.tokens.ids);
            let passage = dataset.paragraphs.iter().find(|p| is_read(&p.context)).expect("one of the file");
            assert_ne!(passage.context, own.context);
            // Every word here stands between spaces.
            let answer = question.answers[0].text.trim_start_matches("the ").trim_start_matches("a ");
            let text = format!(" {} ", passage.context);
            assert!(!text.contains(&format!(" {answer} ")), "{}: {text:?} holds {answer:?}", question.id);
            articles[usize::from(passage.title != own.title)] += 1;
        }
    }
    assert!(articles[1] > 0 && articles[0] > 2 * articles[1], "mostly of its own article: {articles:?}");
    Ok(())
}

#[test]
fn the_rate_is_a_share_of_the_windows() -> Result<()> {
    let (_, _, windows, mut unanswerable) = prepared(0.25, 1)?;
    let mut data = windows.clone();
    let (mut drawn, mut all) = (0, 0);
    let eligible = |window: &Feature| window.question != 4;
    for epoch in 0..1000 {
        unanswerable.draw(&mut data, epoch);
        all += windows.iter().filter(|w| eligible(w)).count();
        drawn += data.iter().zip(&windows).filter(|(new, old)| read(new) != read(old)).count();
    }
    let share = drawn as f64 / all as f64;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    Ok(())
}

#[test]
fn an_epoch_draws_the_same_again_and_epochs_and_seeds_differ() -> Result<()> {
    let drawn = |seed, epochs: &[usize]| -> Result<Vec<_>> {
        let (_, _, mut data, mut unanswerable) = prepared(0.5, seed)?;
        epochs.iter().for_each(|&epoch| unanswerable.draw(&mut data, epoch));
        Ok(data.iter().map(read).collect())
    };
    assert_eq!(drawn(3, &[0, 1, 2, 7])?, drawn(3, &[7])?, "nothing is left of the epochs before");
    let different: BTreeSet<_> = (0..8).map(|epoch| drawn(3, &[epoch])).collect::<Result<_>>()?;
    assert!(different.len() > 4, "epochs draw anew");
    assert_ne!(drawn(3, &[7])?, drawn(4, &[7])?);
    Ok(())
}
