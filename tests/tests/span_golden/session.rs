//! A session's answers, from its own windows, against the reference fed with logits that are asked for window by
//! window: for the tiny models, and for every question of a data set.
//!
//! `BLOCKSPAN_SQUAD=dev-v1.1.json cargo test --release -p blockspan-tests --test span_golden every_question` takes
//! another data set than the committed one.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use blockspan_engine::span::MAX_N_BEST;
use blockspan_engine::{Answer, AnswerOptions, Error, Model, Parallel, Runtime, Session, ThreadPool};
use blockspan_squad::Dataset;
use blockspan_tests::hostile::Bytes;
use blockspan_tests::{default_model, fixture, packed_tiny};

use crate::reference::{Features, Postprocessed, Rules, postprocess};

/// The windows of a passage, cut with list indexes, and the logits of each.
fn features(
    session: &mut Session<'_>,
    question: &str,
    passage: &str,
    max_seq_len: usize,
    doc_stride: usize,
) -> Result<Vec<Features>> {
    let model = session.model();
    let special = model.config().special;
    let question: Vec<u32> = model.tokenizer().tokens(question).map(|token| token.id).collect();
    let tokens: Vec<_> = model.tokenizer().tokens(passage).collect();
    let room = max_seq_len - 3 - question.len();
    let mut features = Vec::new();
    let mut from = 0;
    loop {
        let window = &tokens[from..tokens.len().min(from + room)];
        let first = [special.cls].into_iter().chain(question.iter().copied()).chain([special.sep]);
        let second = window.iter().map(|token| token.id).chain([special.sep]);
        let ids: Vec<(u32, u32)> = first.map(|id| (id, 0)).chain(second.map(|id| (id, 1))).collect();
        let (start_logits, end_logits) = session.logits(&ids)?;
        let offsets = window.iter().map(|token| Some([token.start, token.end]));
        let before = core::iter::repeat_n(None, question.len() + 2);
        features.push(Features {
            start_logits: start_logits.to_vec(),
            end_logits: end_logits.to_vec(),
            offset_mapping: before.chain(offsets).chain([None]).collect(),
        });
        if from + room >= tokens.len() {
            return Ok(features);
        }
        from += room - doc_stride;
    }
}

/// Compares everything that a session says; returns the reference.
fn compare(
    session: &mut Session<'_>,
    question: &str,
    passage: &str,
    options: &AnswerOptions,
    features: &[Features],
) -> Result<Postprocessed> {
    let threshold = Some(options.null_threshold).filter(|threshold| *threshold < f32::INFINITY);
    let expected = postprocess(Rules::Engine, features, options.n_best, options.max_answer_len, threshold);
    let mut answers = [Answer::default(); MAX_N_BEST];
    let outcome = session.answer(question, passage, options, &mut answers)?;
    ensure!(outcome.windows == features.len(), "{} windows", outcome.windows);
    let best = expected.spans.first().map_or(0.0, |best| best.score);
    ensure!(outcome.null_diff == expected.null_score - best, "null_diff {}", outcome.null_diff);
    let answers = &answers[..outcome.answers];
    let predicted = answers.first().map(|answer| [answer.start as u32, answer.end as u32]);
    ensure!(predicted == expected.prediction, "{predicted:?} instead of {:?}", expected.prediction);
    if predicted.is_none() {
        return Ok(expected);
    }
    ensure!(answers.len() == expected.spans.len(), "{} of {} answers", answers.len(), expected.spans.len());
    for ((answer, span), probability) in answers.iter().zip(&expected.spans).zip(&expected.probabilities) {
        let same = [answer.start as u32, answer.end as u32] == span.offsets
            && (answer.start_logit, answer.end_logit) == (span.start_logit, span.end_logit);
        ensure!(same, "{answer:?} instead of {span:?}");
        // Single precision over up to 65 terms.
        ensure!((f64::from(answer.score) - probability).abs() < 1e-5, "{answer:?}, {probability}");
    }
    Ok(expected)
}

#[test]
fn tiny_models_with_all_options() -> Result<()> {
    const QUESTION: &str = "how long is the river ?";
    let long =
        "the Amazon is 6,400 km long ; Zoë was born in Paris 東京 in 1998 and the tower is of 300 m . "
            .repeat(3);
    // Five words have 15 spans: with an n_best of 15 the null answer may push out the worst.
    let passages = [long.as_str(), "of the river in the", "the city ."];
    let (mut withheld, mut null_among_them) = (0, 0);
    for (name, max_seq_len, doc_stride) in
        [("output-block", 40, 12), ("input-block", 33, 0), ("cased", 64, 20), ("cased", 128, 64)]
    {
        let bytes = Bytes::new(&packed_tiny(name)?);
        let model = Model::parse(bytes.get())?;
        let mut workspace = vec![0; model.workspace_len(max_seq_len, 1)];
        let mut session = Session::with(&model, max_seq_len, &mut workspace, Runtime::default())?;
        for passage in passages {
            let features = features(&mut session, QUESTION, passage, max_seq_len, doc_stride)?;
            assert!(features.len() > 1 || max_seq_len == 128 || passage.len() < 100, "{name}");
            for (n_best, max_answer_len) in [(20, 30), (1, 30), (3, 30), (15, 30), (7, 2), (64, 5)] {
                let mut options = AnswerOptions {
                    n_best,
                    max_answer_len,
                    doc_stride: Some(doc_stride),
                    ..AnswerOptions::default()
                };
                let expected = compare(&mut session, QUESTION, passage, &options, &features).context(name)?;
                let Some(best) = expected.spans.first() else { continue };
                let (null_diff, kept) = (expected.null_score - best.score, expected.spans.len());
                for null_threshold in [null_diff, null_diff - 0.5, null_diff + 0.5, 0.0, f32::MIN, f32::MAX] {
                    options.null_threshold = null_threshold;
                    let expected =
                        compare(&mut session, QUESTION, passage, &options, &features).context(name)?;
                    withheld += usize::from(expected.prediction.is_none());
                    null_among_them += usize::from(expected.spans.len() < kept);
                }
            }
        }
    }
    assert!(
        withheld > 10 && null_among_them > 10,
        "{withheld} withheld, {null_among_them} with null in them"
    );
    Ok(())
}

/// In the workspace that a short passage takes: everything grows with the window, nothing with the passage.
#[test]
fn a_passage_of_a_megabyte() -> Result<()> {
    const QUESTION: &str = "how long is the river ?";
    let mut long = String::new();
    for i in 0.. {
        if long.len() >= 1 << 20 {
            break;
        }
        long += &format!("the tower is of {} m and the Amazon, 6,400 km long, is in Paris . ", i % 977);
    }
    let (max_seq_len, doc_stride) = (128, 32);
    let bytes = Bytes::new(&packed_tiny("output-block")?);
    let model = Model::parse(bytes.get())?;
    let mut workspace = vec![0; model.workspace_len(max_seq_len, 1)];
    let mut session = Session::with(&model, max_seq_len, &mut workspace, Runtime::default())?;
    let options = AnswerOptions { doc_stride: Some(doc_stride), ..AnswerOptions::default() };
    let mut windows = Vec::new();
    for passage in ["the Amazon is 6,400 km long .", &long, "the Amazon is 6,400 km long ."] {
        let features = features(&mut session, QUESTION, passage, max_seq_len, doc_stride)?;
        compare(&mut session, QUESTION, passage, &options, &features)?;
        windows.push(features.len());
    }
    assert!(windows[0] == 1 && windows[1] > 1000 && windows[2] == 1, "{windows:?}");
    Ok(())
}

/// The answer to a question about a passage that lies in two windows stood in the list twice, with half its score each.
#[test]
fn an_answer_that_two_windows_share_is_listed_once() -> Result<()> {
    let bytes = default_model()?;
    let model = Model::parse(&bytes)?;
    let mut workspace = vec![0; model.workspace_len(128, 1)];
    let mut session = Session::with(&model, 128, &mut workspace, Runtime::default())?;
    let gulls = "Gulls nest below the cliffs every spring, and the keepers counted them in a ledger. ";
    let mut shared = 0;
    for before in 1..12 {
        let passage =
            gulls.repeat(before) + "The lighthouse was built in 1862. " + &gulls.repeat(12 - before);
        let (question, options) = ("When was the lighthouse built?", AnswerOptions::default());
        let features = features(&mut session, question, &passage, 128, model.config().doc_stride_for(128))?;
        let there = postprocess(Rules::RunQa, &features, options.n_best, options.max_answer_len, None);
        shared += usize::from(there.spans[0].offsets == there.spans[1].offsets);
        let mut answers = [Answer::default(); 20];
        let outcome = session.answer(question, &passage, &options, &mut answers)?;
        let spans: HashSet<_> = answers[..outcome.answers].iter().map(|a| (a.start, a.end)).collect();
        ensure!(spans.len() == 20 && outcome.answers == 20, "{answers:?}");
        ensure!(
            passage[answers[0].start..answers[0].end] == *"1862" && answers[0].score > 0.8,
            "{answers:?}"
        );
    }
    ensure!(shared > 0, "no passage of these has its answer in two windows");
    Ok(())
}

/// With every question of a data set, with and without the null answer: what `run_qa.py` predicts, and the n best by
/// the engine's rules.
#[test]
fn every_question_of_a_data_set() -> Result<()> {
    let path = std::env::var_os("BLOCKSPAN_SQUAD").map_or_else(|| fixture("questions.json"), PathBuf::from);
    let dataset = Dataset::read(&path)?;
    let bytes = default_model()?;
    let model = Model::parse(&bytes)?;
    let (max_seq_len, doc_stride) = (model.config().max_seq_len, model.config().doc_stride);
    let pool = ThreadPool::new(2)?;
    let mut workspace = vec![0; model.workspace_len(max_seq_len, pool.threads())];
    let runtime = Runtime { parallel: &pool, ..Runtime::default() };
    let mut session = Session::with(&model, max_seq_len, &mut workspace, runtime)?;
    let (mut questions, mut windows, mut n_best_differs, mut predictions_differ) = (0, 0, 0, 0);
    for (paragraph, question) in dataset.questions() {
        let (id, question, passage) = (&question.id, &question.question, &paragraph.context);
        let asked = session.answer(question, passage, &AnswerOptions::default(), &mut []);
        if let Err(Error::EmptyQuestion | Error::EmptyPassage | Error::QuestionTooLong { .. }) = asked {
            continue;
        }
        let features = features(&mut session, question, passage, max_seq_len, doc_stride)?;
        for null_threshold in [f32::INFINITY, 0.0] {
            let options = AnswerOptions { null_threshold, ..AnswerOptions::default() };
            let ours =
                compare(&mut session, question, passage, &options, &features).with_context(|| id.clone())?;
            let threshold = Some(null_threshold).filter(|threshold| *threshold < f32::INFINITY);
            let theirs =
                postprocess(Rules::RunQa, &features, options.n_best, options.max_answer_len, threshold);
            predictions_differ += usize::from(ours.prediction != theirs.prediction);
            n_best_differs += usize::from(ours.spans != theirs.spans);
        }
        questions += 1;
        windows += features.len();
    }
    println!(
        "{}: {questions} questions, {windows} windows; other than run_qa.py: {predictions_differ} predictions, \
         {n_best_differs} lists of n best, of {} each",
        path.display(),
        2 * questions
    );
    assert!(questions >= 30 && predictions_differ == 0);
    Ok(())
}
