//! Spans are pooled as `run_qa.py` (transformers 4, `postprocess_qa_predictions`) pools them.
//!
//! The reference below is that function, read line by line and written with sorts over whole lists: per window the
//! `n_best` highest starts and ends by `np.argsort`, their valid pairs, all windows' pairs sorted by score, the first
//! `n_best` kept, softmax over these. Where NumPy and Python leave equal values in the order of an unspecified or of
//! a stable sort, it takes the engine's documented total order (`blockspan_engine::span`).

use core::cmp::Ordering;
use core::ops::Range;

use anyhow::Result;
use blockspan_engine::span::{Candidate, MAX_N_BEST, SpanPool, Window};
use blockspan_engine::{Answer, Model, Options, Runtime, Session};
use blockspan_tests::hostile::Bytes;
use blockspan_tests::packed_tiny;
use proptest::prelude::*;

/// The logits of a window, and for each position its bytes in the passage or `None` (question, special tokens), as
/// `run_qa.py` has them in `offset_mapping`.
#[derive(Clone, Debug)]
struct Features {
    start_logits: Vec<f32>,
    end_logits: Vec<f32>,
    offset_mapping: Vec<Option<[u32; 2]>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Prediction {
    offsets: [u32; 2],
    score: f32,
    start_logit: f32,
    end_logit: f32,
}

/// `postprocess_qa_predictions` for one example: the n best, and the null score.
fn reference(features: &[Features], n_best: usize, max_answer_len: usize) -> (Vec<Prediction>, f32) {
    let mut min_null_score = f32::INFINITY;
    let mut prelim_predictions = Vec::new();
    for feature in features {
        min_null_score = min_null_score.min(feature.start_logits[0] + feature.end_logits[0]);
        let start_indexes = argsort(&feature.start_logits, n_best);
        let end_indexes = argsort(&feature.end_logits, n_best);
        for &start_index in &start_indexes {
            for &end_index in &end_indexes {
                let offset_mapping = &feature.offset_mapping;
                let (Some(start), Some(end)) = (offset_mapping[start_index], offset_mapping[end_index])
                else {
                    continue;
                };
                if end_index < start_index || end_index - start_index + 1 > max_answer_len {
                    continue;
                }
                let (start_logit, end_logit) =
                    (feature.start_logits[start_index], feature.end_logits[end_index]);
                let score = start_logit + end_logit;
                prelim_predictions.push(Prediction {
                    offsets: [start[0], end[1]],
                    score,
                    start_logit,
                    end_logit,
                });
            }
        }
    }
    prelim_predictions.sort_by(|a, b| {
        b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal).then(a.offsets.cmp(&b.offsets))
    });
    prelim_predictions.truncate(n_best);
    (prelim_predictions, min_null_score)
}

/// `np.argsort(logits)[-1 : -n_best - 1 : -1]`, of equal logits the earlier first.
fn argsort(logits: &[f32], n_best: usize) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..logits.len()).collect();
    indexes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    indexes.truncate(n_best);
    indexes
}

/// The engine's pool over the same windows.
fn engine(features: &[Features], n_best: usize, max_answer_len: usize) -> (Vec<Prediction>, f32) {
    let mut best = vec![Candidate::default(); n_best];
    let mut pool = SpanPool::new(&mut best, n_best, max_answer_len);
    for feature in features {
        let passage = passage(feature);
        let offsets: Vec<[u32; 2]> = feature.offset_mapping.iter().flatten().copied().collect();
        pool.add_window(&Window {
            start_logits: &feature.start_logits,
            end_logits: &feature.end_logits,
            passage,
            offsets: &offsets,
        });
    }
    let found = pool.candidates().iter().map(|candidate| Prediction {
        offsets: [candidate.start, candidate.end],
        score: candidate.score(),
        start_logit: candidate.start_logit,
        end_logit: candidate.end_logit,
    });
    (found.collect(), pool.null_score())
}

/// Positions that hold passage tokens; they are consecutive.
fn passage(feature: &Features) -> Range<usize> {
    let first = feature.offset_mapping.iter().position(Option::is_some).unwrap_or(0);
    first..first + feature.offset_mapping.iter().flatten().count()
}

/// A window `[CLS] q [SEP] passage [SEP]`; token `k` of the passage covers bytes `4k .. 4k + 3`.
fn window(tokens: Range<u32>, start_logits: &[f32], end_logits: &[f32]) -> Features {
    let offsets = tokens.map(|k| Some([4 * k, 4 * k + 3]));
    let offset_mapping: Vec<_> = [None; 3].into_iter().chain(offsets).chain([None]).collect();
    assert_eq!(offset_mapping.len(), start_logits.len());
    Features { start_logits: start_logits.to_vec(), end_logits: end_logits.to_vec(), offset_mapping }
}

/// The engine's best span, after a comparison of everything with the reference.
fn best(features: &[Features], n_best: usize, max_answer_len: usize) -> Option<([u32; 2], f32)> {
    let found = engine(features, n_best, max_answer_len);
    assert_eq!(found, reference(features, n_best, max_answer_len), "{features:?}");
    found.0.first().map(|best| (best.offsets, best.score))
}

// Each window below is [CLS] q [SEP] p p p p [SEP]; expected spans and sums are worked out by hand.

#[test]
fn answers_at_the_first_and_at_the_last_token() {
    let first = window(0..4, &[0., 0., 0., 9., 1., 0., 0., 0.], &[0., 0., 0., 8., 2., 0., 0., 0.]);
    assert_eq!(best(&[first], 20, 30), Some(([0, 3], 17.0)));
    let last = window(0..4, &[0., 0., 0., 1., 0., 0., 9., 0.], &[0., 0., 0., 2., 0., 0., 8., 0.]);
    assert_eq!(best(&[last], 20, 30), Some(([12, 15], 17.0)));
    let whole = window(0..4, &[0., 0., 0., 9., 0., 0., 0., 0.], &[0., 0., 0., 0., 0., 0., 8., 0.]);
    assert_eq!(best(core::slice::from_ref(&whole), 20, 4), Some(([0, 15], 17.0)));
    // One token too long; then the best of what is left.
    assert_eq!(best(&[whole], 20, 3), Some(([0, 3], 9.0)));
}

#[test]
fn an_answer_across_the_edge_of_windows() {
    // Tokens 3 and 4: the first window ends between them, the second, which shares two tokens, has both.
    let before = window(0..4, &[1., 0., 0., 0., 0., 0., 7., 0.], &[1., 0., 0., 0., 0., 0., 1., 0.]);
    let after = window(2..6, &[2., 0., 0., 0., 6., 0., 0., 0.], &[2., 0., 0., 0., 0., 5., 0., 0.]);
    assert_eq!(best(&[before.clone(), after.clone()], 20, 30), Some(([12, 19], 11.0)));
    // The same span from both windows stays in the list twice, as there.
    let again = engine(&[after.clone(), after.clone()], 20, 30).0;
    assert_eq!(again[0].offsets, again[1].offsets);
    // The null score is the least of the windows'.
    assert_eq!(engine(&[before, after], 20, 30).1, 2.0);
}

#[test]
fn no_answer_in_any_window() {
    // The one best start and the one best end lie in the question, or are reversed.
    let question = window(0..4, &[9., 8., 0., 0., 0., 0., 0., 0.], &[9., 8., 0., 0., 0., 0., 0., 0.]);
    assert_eq!(best(core::slice::from_ref(&question), 2, 30), None);
    let reversed = window(0..4, &[0., 0., 0., 0., 0., 0., 9., 0.], &[0., 0., 0., 9., 0., 0., 0., 0.]);
    assert_eq!(best(&[question, reversed], 1, 30), None);
}

#[test]
fn ties_follow_the_documented_order() {
    let equal = window(0..4, &[1.; 8], &[1.; 8]);
    let spans: Vec<[u32; 2]> =
        engine(core::slice::from_ref(&equal), 20, 30).0.iter().map(|p| p.offsets).collect();
    assert_eq!(
        spans,
        [[0, 3], [0, 7], [0, 11], [0, 15], [4, 7], [4, 11], [4, 15], [8, 11], [8, 15], [12, 15]]
    );
    // Of equal logits the first ones are among the best: with 4 of them, [CLS], question and one of the passage.
    assert_eq!(best(&[equal], 4, 30), Some(([0, 3], 2.0)));
    // Equal sums of different logits.
    let sums = window(0..4, &[0., 0., 0., 1., 2., 3., 4., 0.], &[0., 0., 0., 4., 3., 2., 1., 0.]);
    assert_eq!(best(&[sums], 20, 1), Some(([0, 3], 5.0)));
}

/// Logits from few values, so that ties abound, and windows of one passage that overlap.
fn windows() -> impl Strategy<Value = Vec<Features>> {
    let shape = (1usize..5, 0usize..6, 1usize..14, 0usize..5, 1i32..30);
    shape.prop_flat_map(|(windows, question, tokens, stride, values)| {
        let len = question + 2 + tokens + 1;
        let logit = (-values..=values).prop_map(|value| value as f32 * 0.375);
        let logits = proptest::collection::vec(logit, 2 * len * windows);
        logits.prop_map(move |logits| {
            let each = logits.chunks_exact(2 * len).enumerate();
            let features = each.map(|(i, logits)| {
                let (start_logits, end_logits) = logits.split_at(len);
                let first = (i * tokens.saturating_sub(stride).max(1)) as u32;
                let offsets = (first..first + tokens as u32).map(|k| Some([4 * k, 4 * k + 3]));
                let question = core::iter::repeat_n(None, question + 2);
                Features {
                    start_logits: start_logits.to_vec(),
                    end_logits: end_logits.to_vec(),
                    offset_mapping: question.chain(offsets).chain([None]).collect(),
                }
            });
            features.collect()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn pooling_equals_the_reference(
        features in windows(),
        n_best in 1..=MAX_N_BEST,
        max_answer_len in 1usize..16,
    ) {
        prop_assert_eq!(
            engine(&features, n_best, max_answer_len),
            reference(&features, n_best, max_answer_len)
        );
    }
}

/// The engine's own windows, logits and answers, against the reference over logits asked for window by window.
#[test]
fn a_session_answers_as_the_reference_does_with_its_logits() -> Result<()> {
    const QUESTION: &str = "how long is the river ?";
    let passage =
        "the Amazon is 6,400 km long ; Zoë was born in Paris 東京 in 1998 and the tower is of 300 m . "
            .repeat(3);
    for (name, max_seq_len, doc_stride) in
        [("output-block", 40, 12), ("input-block", 33, 0), ("cased", 64, 20), ("cased", 128, 64)]
    {
        let bytes = Bytes::new(&packed_tiny(name)?);
        let model = Model::parse(bytes.get())?;
        let mut workspace = vec![0; model.workspace_len(max_seq_len)];
        let mut session = Session::with(&model, max_seq_len, &mut workspace, Runtime::default())?;
        let special = model.config().special;
        let question: Vec<u32> = model.tokenizer().tokens(QUESTION).map(|token| token.id).collect();
        let tokens: Vec<_> = model.tokenizer().tokens(&passage).collect();
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
                break;
            }
            from += room - doc_stride;
        }
        assert!(features.len() > 1 || max_seq_len == 128, "{name}: one window only");

        for (n_best, max_answer_len) in [(20, 30), (1, 30), (7, 2), (64, 5)] {
            let options = Options { n_best, max_answer_len, doc_stride: Some(doc_stride) };
            let mut answers = [Answer::default(); MAX_N_BEST];
            let outcome = session.answer(QUESTION, &passage, &options, &mut answers)?;
            let (expected, null_score) = reference(&features, n_best, max_answer_len);
            assert_eq!((outcome.windows, outcome.answers), (features.len(), expected.len()), "{name}");
            let Some(best) = expected.first() else { continue };
            assert_eq!(outcome.null_diff, null_score - best.score);
            let softmax: f64 = expected.iter().map(|p| f64::from(p.score - best.score).exp()).sum();
            for (answer, expected) in answers.iter().zip(&expected) {
                let [start, end] = expected.offsets;
                assert_eq!((answer.start, answer.end), (start as usize, end as usize), "{name}");
                assert_eq!(
                    (answer.start_logit, answer.end_logit),
                    (expected.start_logit, expected.end_logit)
                );
                let probability = f64::from(expected.score - best.score).exp() / softmax;
                // Single precision over up to 64 terms.
                assert!(
                    (f64::from(answer.score) - probability).abs() < 1e-5,
                    "{name}: {answer:?}, {probability}"
                );
            }
        }
    }
    Ok(())
}
