//! The engine's pool of spans over made-up logits: cases worked out by hand, and random ones full of ties.

use core::ops::Range;

use blockspan_engine::span::{Candidate, MAX_N_BEST, SpanPool, Window};
use proptest::prelude::*;

use crate::reference::{Features, Prediction, Rules, postprocess};

/// The reference's n best and null score, the null answer being impossible.
fn reference(features: &[Features], n_best: usize, max_answer_len: usize) -> (Vec<Prediction>, f32) {
    let result = postprocess(Rules::Engine, features, n_best, max_answer_len, None);
    (result.spans, result.null_score)
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
    // The same spans from both windows are in the list once; in run_qa.py, twice.
    let both = [after.clone(), after.clone()];
    assert_eq!(engine(&both, 20, 30), engine(&both[..1], 20, 30));
    let there = postprocess(Rules::RunQa, &both, 20, 30, None).spans;
    assert_eq!(there[0].offsets, there[1].offsets);
    // The null score is the least of the windows'.
    assert_eq!(engine(&[before, after], 20, 30).1, 2.0);
}

#[test]
fn every_window_has_an_answer_where_run_qa_finds_none() {
    let there =
        |features: &[Features], n_best| postprocess(Rules::RunQa, features, n_best, 30, None).prediction;
    // The best starts and ends lie in the question, or the one best start lies behind the one best end.
    let question = window(0..4, &[9., 8., 0., 0., 3., 0., 0., 0.], &[9., 8., 0., 0., 0., 2., 0., 0.]);
    assert_eq!(there(core::slice::from_ref(&question), 2), None);
    assert_eq!(best(core::slice::from_ref(&question), 2, 30), Some(([4, 11], 5.0)));
    let reversed = window(4..8, &[0., 0., 0., 0., 0., 0., 9., 0.], &[0., 0., 0., 8., 0., 0., 0., 0.]);
    assert_eq!(there(core::slice::from_ref(&reversed), 1), None);
    assert_eq!(best(core::slice::from_ref(&reversed), 1, 30), Some(([28, 31], 9.0)));
    // A pair of the n best of one window comes before the best span of another, in which there is none.
    assert_eq!(best(&[reversed, question], 1, 30), Some(([4, 11], 5.0)));
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
    // Of equal logits the first ones are among the best.
    let two: Vec<[u32; 2]> = engine(&[equal], 2, 30).0.iter().map(|p| p.offsets).collect();
    assert_eq!(two, [[0, 3], [0, 7]]);
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

    /// Whatever the logits are, infinite and not numbers included: spans of the passage, short enough, no more than
    /// were asked for.
    #[test]
    fn any_logits_give_spans_of_the_passage(
        bits in proptest::collection::vec((any::<u32>(), any::<u32>()), 4..40),
        question in 0usize..8,
        n_best in 1..=MAX_N_BEST,
        max_answer_len in 1usize..16,
    ) {
        let question = question.min(bits.len() - 4);
        let tokens = (bits.len() - question - 3) as u32;
        let offsets = (0..tokens).map(|k| Some([4 * k, 4 * k + 3]));
        let feature = Features {
            start_logits: bits.iter().map(|bits| f32::from_bits(bits.0)).collect(),
            end_logits: bits.iter().map(|bits| f32::from_bits(bits.1)).collect(),
            offset_mapping: core::iter::repeat_n(None, question + 2).chain(offsets).chain([None]).collect(),
        };
        let (spans, _) = engine(core::slice::from_ref(&feature), n_best, max_answer_len);
        prop_assert!(spans.len() <= n_best);
        for span in spans {
            let (first, last) = (span.offsets[0] / 4, span.offsets[1] / 4);
            prop_assert!(span.offsets == [4 * first, 4 * last + 3] && first <= last && last < tokens);
            prop_assert!(((last - first) as usize) < max_answer_len);
            let position = |token: u32| question + 2 + token as usize;
            prop_assert_eq!(span.start_logit.to_bits(), bits[position(first)].0);
            prop_assert_eq!(span.end_logit.to_bits(), bits[position(last)].1);
        }
    }
}
