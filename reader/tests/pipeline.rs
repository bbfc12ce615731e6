//! The pipeline's rules with a real model.

use std::path::Path;

use blockspan_reader::engine::AnswerOptions;
use blockspan_reader::{Decoding, Job, Options, PipelineOptions, Reader, SharedModel};

const PASSAGE: &str =
    "Zoë's lighthouse, the 🗼 of Skerry, was built in 1862 and stands 31 metres above the rocks.";

fn reader(threads: usize) -> Reader {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/default.bspan");
    Reader::builder(SharedModel::read_file(path).unwrap()).threads(threads).build().unwrap()
}

fn options(top_k: usize, rules: PipelineOptions) -> Options {
    Options { top_k, decoding: Decoding::Pipeline(rules), ..Options::default() }
}

#[test]
fn the_answer_is_that_of_ask_with_a_score_of_its_own() {
    let reader = reader(2);
    let job = Job::new("When was the lighthouse built?", PASSAGE);
    let here = reader.answer(job.clone()).unwrap();
    let there = reader.answer(job.with(options(3, PipelineOptions::default()))).unwrap();
    let (here, best) = (&here.answers[0], &there.answers[0]);
    assert_eq!((best.text.as_str(), best.start, best.end), ("1862", here.start, here.end));
    assert_eq!((best.start_char, best.start_utf16), (here.start_char, here.start_utf16));
    assert!(best.score > 0.5 && best.score <= 1.0 && best.score != here.score);
    let sum: f32 = there.answers.iter().map(|answer| answer.score).sum();
    assert!(there.answers.len() == 3 && sum <= 1.0);
}

#[test]
fn many_windows_and_sessions_change_no_bit() {
    let passage = (0..60).map(|n| format!("Lighthouse {n} was built in {}. ", 1800 + n)).collect::<String>();
    let rules = PipelineOptions { handle_impossible_answer: true, ..PipelineOptions::default() };
    let short = Options { max_seq_len: Some(64), ..options(10, rules) };
    let job = Job::new("When was lighthouse 17 built?", passage).with(short);
    let replies = [1, 2, 4].map(|threads| reader(threads).answer(job.clone()).unwrap());
    assert!(replies[0].windows > 10 && replies[0].answers.len() == 10);
    assert!(replies[1] == replies[0] && replies[2] == replies[0]);
}

#[test]
fn a_long_question_is_cut_and_the_limits_are_checked() {
    let reader = reader(1);
    let question = format!("When was the lighthouse built? {}", "word ".repeat(500));
    let usual = PipelineOptions::default();
    reader.answer(Job::new(question.as_str(), PASSAGE).with(options(1, usual))).unwrap();
    reader.answer(Job::new(question.as_str(), PASSAGE)).unwrap_err();
    let cut = PipelineOptions { max_question_len: 6, ..usual };
    let first_six = reader.answer(Job::new(question.as_str(), PASSAGE).with(options(1, cut))).unwrap();
    let alone =
        reader.answer(Job::new("When was the lighthouse built?", PASSAGE).with(options(1, usual))).unwrap();
    assert_eq!(first_six, alone);
    let message = |top_k, rules| {
        reader.answer(Job::new("What?", PASSAGE).with(options(top_k, rules))).unwrap_err().to_string()
    };
    assert_eq!(message(0, usual), "top_k must be 1 to 64");
    assert_eq!(
        message(1, PipelineOptions { max_answer_len: 0, ..usual }),
        "max_answer_len must be at least 1"
    );
    assert_eq!(
        message(1, PipelineOptions { max_question_len: 0, ..usual }),
        "max_question_len must be at least 1"
    );
}

#[test]
fn windows_overlap_by_128_tokens_or_half_a_window() {
    let reader = reader(2);
    let passage = "Gulls nest on the rocks below, and seals sleep on the sand. ".repeat(150);
    let windows = |max_seq_len, decoding| {
        let options = Options { max_seq_len, decoding, ..Options::default() };
        reader.answer(Job::new("Where?", passage.as_str()).with(options)).unwrap().windows
    };
    let pipeline = Decoding::Pipeline(PipelineOptions::default());
    let overlap =
        |doc_stride| Decoding::RunQa(AnswerOptions { doc_stride: Some(doc_stride), ..Default::default() });
    for (max_seq_len, doc_stride, other) in [(None, 128, 192), (Some(100), 50, 33), (Some(300), 128, 150)] {
        assert_eq!(windows(max_seq_len, pipeline), windows(max_seq_len, overlap(doc_stride)));
        assert_ne!(windows(max_seq_len, pipeline), windows(max_seq_len, overlap(other)));
    }
}
