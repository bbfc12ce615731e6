//! The pipeline's rules against the pipeline's own code (`fixtures/make_pipeline.py`), and cases worked out by hand.

use std::path::Path;

use blockspan_engine::Sequence;
use serde_json::Value;

use super::Spans;
use crate::job::PipelineOptions;
use crate::reply::Reply;

/// Ids of word pieces: one that begins a word, and one that continues it.
const BEGINS: u32 = 0;
const CONTINUES: u32 = 1;

/// One window: places of its tokens in the passage, which of them continue a word, and logits for `[CLS]`, question tokens
/// and `[SEP]`, as many as there are, the passage's tokens, and `[SEP]`.
struct Window {
    tokens: Vec<(u32, [u32; 2])>,
    start_logits: Vec<f32>,
    end_logits: Vec<f32>,
}

fn reply(passage: &str, rules: &PipelineOptions, top_k: usize, windows: &[Window]) -> Reply {
    let mut spans = Spans::new(passage, rules, top_k);
    for Window { tokens, start_logits, end_logits } in windows {
        let first = start_logits.len() - 1 - tokens.len();
        let before = vec![[BEGINS, 0]; first];
        let after = [[BEGINS, 1]];
        let of_passage = tokens.iter().map(|&(id, _)| [id, 1]);
        let ids: Vec<[u32; 2]> = before.into_iter().chain(of_passage).chain(after).collect();
        let offsets: Vec<[u32; 2]> = tokens.iter().map(|&(_, place)| place).collect();
        let sequence = Sequence { ids: &ids, passage: first..first + tokens.len(), offsets: &offsets };
        spans.add_window(&sequence, start_logits, end_logits, &|id| id == CONTINUES);
    }
    spans.reply(windows.len())
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap() as f32).collect()
}

#[test]
fn answers_are_those_of_the_pipelines_own_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pipeline.json");
    let cases: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut compared = 0;
    for (index, case) in cases.as_array().unwrap().iter().enumerate() {
        let passage = case["passage"].as_str().unwrap();
        let byte =
            |char| passage.char_indices().map(|(byte, _)| byte).nth(char).unwrap_or(passage.len()) as u32;
        let tokens = case["tokens"].as_array().unwrap();
        let token = |at: usize| {
            let continues = at > 0 && tokens[at][0] == tokens[at - 1][0];
            let place = [byte(number(&tokens[at][1])), byte(number(&tokens[at][2]))];
            (if continues { CONTINUES } else { BEGINS }, place)
        };
        let window = |window: &Value| {
            let first = number(&window["first"]);
            Window {
                tokens: (first..first + number(&window["tokens"])).map(token).collect(),
                start_logits: floats(&window["start_logits"]),
                end_logits: floats(&window["end_logits"]),
            }
        };
        let windows: Vec<Window> = case["windows"].as_array().unwrap().iter().map(window).collect();
        let options = &case["options"];
        let rules = PipelineOptions {
            max_answer_len: number(&options["max_answer_len"]),
            handle_impossible_answer: options["handle_impossible_answer"].as_bool().unwrap(),
            align_to_words: options["align_to_words"].as_bool().unwrap(),
            ..PipelineOptions::default()
        };
        let found = reply(passage, &rules, number(&options["top_k"]), &windows);
        let expected = case["answers"].as_array().unwrap();
        assert_eq!(found.answers.len(), expected.len(), "case {index}");
        for (answer, expected) in found.answers.iter().zip(expected) {
            let place = (answer.text.as_str(), answer.start_char, answer.end_char);
            let there =
                (expected["answer"].as_str().unwrap(), number(&expected["start"]), number(&expected["end"]));
            assert_eq!(place, there, "case {index}");
            let (score, there) = (f64::from(answer.score), expected["score"].as_f64().unwrap());
            assert!((score - there).abs() <= 1e-5 * there, "case {index}: {score} instead of {there}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// `[CLS] what [SEP] ab c [SEP]`, where "ab" is two word pieces.
fn window(start_logits: [f32; 7], end_logits: [f32; 7]) -> Window {
    let tokens = vec![(BEGINS, [0, 1]), (CONTINUES, [1, 2]), (BEGINS, [3, 4])];
    Window { tokens, start_logits: start_logits.into(), end_logits: end_logits.into() }
}

#[test]
fn a_span_inside_a_word_is_the_word() {
    let inside = [window([-9., 0., 0., 0., 9., 0., 0.], [-9., 0., 0., 0., 9., 0., 0.])];
    let aligned = PipelineOptions::default();
    let exact = PipelineOptions { align_to_words: false, ..aligned };
    let text = |rules| reply("ab c", &rules, 1, &inside).answers[0].text.clone();
    assert_eq!([text(aligned), text(exact)], ["ab", "b"]);
}

/// Tokens of the question take no part in the softmax; `[CLS]` does, whether or not it may win.
#[test]
fn cls_shares_in_the_probabilities_and_the_question_does_not() {
    let even = [window([0., 50., 50., 0., 0., 0., 50.], [0., 50., 50., 0., 0., 0., 50.])];
    let rules = PipelineOptions { align_to_words: false, ..PipelineOptions::default() };
    let found = reply("ab c", &rules, 6, &even);
    let scores: Vec<f32> = found.answers.iter().map(|answer| answer.score).collect();
    assert!(scores.len() == 6 && scores.iter().all(|score| (score - 1.0 / 16.0).abs() < 1e-6), "{scores:?}");
    assert_eq!((found.null_diff, found.null_logits), (0.0, [0.0, 0.0]));
}

#[test]
fn the_empty_answer_competes_with_its_least_probability() {
    let sure = window([9., 0., 0., 0., 0., 0., 0.], [9., 0., 0., 0., 0., 0., 0.]);
    let unsure = window([0.; 7], [0.; 7]);
    let rules = PipelineOptions { handle_impossible_answer: true, ..PipelineOptions::default() };
    let best = |windows: &[Window]| reply("ab c", &rules, 1, windows).answers[0].clone();
    let empty = best(core::slice::from_ref(&sure));
    assert_eq!((empty.text.as_str(), empty.start, empty.end_utf16), ("", 0, 0));
    assert!(empty.score > 0.99);
    assert_eq!(best(&[sure, unsure]).text, "ab");
}

/// transformers says 1.99 here.
#[test]
fn a_sum_over_windows_is_at_most_1() {
    let sure = || window([-20., 0., 0., 20., 0., 0., 0.], [-20., 0., 0., 0., 20., 0., 0.]);
    let found = reply("ab c", &PipelineOptions::default(), 1, &[sure(), sure()]);
    assert_eq!((found.answers[0].text.as_str(), found.answers[0].score), ("ab", 1.0));
}

#[test]
fn logits_that_are_no_numbers_are_harmless() {
    let rules = PipelineOptions { handle_impossible_answer: true, ..PipelineOptions::default() };
    let found = reply("ab c", &rules, 3, &[window([f32::NAN; 7], [f32::NAN; 7])]);
    assert!(found.answers.iter().all(|answer| answer.text.is_empty()), "{:?}", found.answers);
    assert!(reply("ab c", &rules, 3, &[]).answers.is_empty());
}
