//! AUROC and F1 over questions with and without an answer, against tables worked out by hand.

use std::collections::BTreeMap;

use blockspan_squad::{Best, Dataset, Separation, auroc, separation};
use serde_json::{Value, json};

#[test]
fn auroc_counts_pairs_and_ties_as_half() {
    // Pairs in which the right number is larger: 2 of 2 × 2, and one tie.
    assert_eq!(auroc(&[1.0, 3.0], &[3.0, 2.0]), Some((1.0 + 1.0 + 0.5) / 4.0));
    assert_eq!(auroc(&[1.0, 2.0], &[3.0, 4.0]), Some(1.0));
    assert_eq!(auroc(&[3.0, 4.0], &[1.0, 2.0]), Some(0.0));
    assert_eq!(auroc(&[5.0; 3], &[5.0; 7]), Some(0.5));
    assert_eq!(auroc(&[-0.0], &[0.0]), Some(0.5), "equal numbers");
    assert_eq!(auroc(&[], &[1.0]), None);
    assert_eq!(auroc(&[1.0], &[]), None);
}

#[test]
fn auroc_is_the_share_of_ordered_pairs() {
    let mut state = 7u64;
    let mut numbers = |count: usize, shift: f64| -> Vec<f64> {
        let number = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shift + ((state >> 40) % 8) as f64
        };
        (0..count).map(number).collect()
    };
    for round in 0..50 {
        let (lower, higher) = (numbers(1 + round, 0.0), numbers(60 - round, 2.0));
        let pairs = lower.iter().flat_map(|x| higher.iter().map(move |y| (x, y)));
        let sum: f64 = pairs
            .map(|(x, y)| {
                if y > x {
                    1.0
                } else if y == x {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        let expected = sum / (lower.len() * higher.len()) as f64;
        assert!((auroc(&lower, &higher).expect("both kinds") - expected).abs() < 1e-12);
    }
}

/// Each question: its answer, if it has one; the best prediction; the null odds.
type Row = (Option<&'static str>, &'static str, f64);

fn table(rows: &[Row], threshold: f64) -> Separation {
    let id = |index: usize| format!("q{index}");
    let qas: Vec<Value> = (0..)
        .zip(rows)
        .map(|(index, row)| {
            let answers: Vec<Value> =
                row.0.iter().map(|text| json!({"text": text, "answer_start": 0})).collect();
            json!({"id": id(index), "question": "?", "answers": answers, "is_impossible": row.0.is_none()})
        })
        .collect();
    let file = json!({"data": [{"paragraphs": [{"context": "", "qas": qas}]}]}).to_string();
    let dataset = Dataset::parse(file.as_bytes(), "data.json").expect("a data set");
    let answers: BTreeMap<_, _> = (0..).zip(rows).map(|(index, row)| (id(index), row.1.to_owned())).collect();
    let odds: BTreeMap<_, _> = (0..).zip(rows).map(|(index, row)| (id(index), row.2)).collect();
    separation(&dataset, &answers, &odds, threshold)
}

#[test]
fn figures_are_those_of_a_table_worked_out_by_hand() {
    // Answered in the order of the odds: sum of F1 with the threshold there, of 4 questions.
    let rows: [Row; 4] = [
        (Some("red cat"), "red cat", -2.0), // 1 when answered, 0 when silent: 2 + 1 = 3
        (None, "a dog", 1.0),               // 0 when answered, 1 when silent; at the same odds as the next:
        (Some("owl"), "big owl", 1.0),      // 2/3 when answered: 3 − 1 + 2/3 = 8/3
        (None, "fox", 4.0),                 // 8/3 − 1 = 5/3
    ];
    let found = table(&rows, 0.0);
    // Pairs of odds (with, without): (−2, 1), (−2, 4), (1, 4) ordered, (1, 1) a tie.
    assert_eq!(found.auroc, Some(3.5 / 4.0));
    assert_eq!((found.with_answer, found.without_answer), (2, 2));
    assert_eq!(found.f1, 75.0, "at 0 only the first is answered");
    assert_eq!(found.best_f1, Best { score: 75.0, threshold: -2.0 });
    assert!((table(&rows, 1.0).f1 - 100.0 * 8.0 / 3.0 / 4.0).abs() < 1e-9);
    assert!((table(&rows, 4.0).f1 - 100.0 * 5.0 / 3.0 / 4.0).abs() < 1e-9);
    assert_eq!(table(&rows, -3.0).f1, 50.0);
}

#[test]
fn the_best_threshold_may_answer_nothing() {
    let rows: [Row; 3] = [(None, "a dog", 1.0), (None, "fox", 2.0), (Some("owl"), "cat", 3.0)];
    let found = table(&rows, 2.5);
    assert!((found.best_f1.score - 200.0 / 3.0).abs() < 1e-9);
    assert!(found.best_f1.threshold < 1.0);
    assert_eq!(
        table(&rows, found.best_f1.threshold).f1,
        found.best_f1.score,
        "the threshold gives the score"
    );
    // As a flag of f32 takes it.
    let printed: f32 = found.best_f1.threshold.to_string().parse().expect("a number");
    assert!(f64::from(printed) < 1.0);
}

#[test]
fn one_kind_of_question_has_no_auroc() {
    assert_eq!(table(&[(Some("owl"), "owl", 0.5)], 0.0).auroc, None);
    assert_eq!(table(&[(None, "owl", 0.5)], 0.0).auroc, None);
}
