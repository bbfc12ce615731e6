//! The figures of an evaluation, as both commands print them.

use core::fmt::Write;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Dataset, NullScores, Prediction, Scores, Separation, evaluate, evaluate_null, separation};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Questions that were asked.
    pub questions: usize,
    /// Windows that were read for them.
    pub windows: usize,
    /// EM and F1; nothing where the file holds no answers.
    pub scores: Option<Scores>,
    /// Where the null answer is possible: by kind of question, and the best thresholds.
    pub null: Option<NullScores>,
    /// How well the null odds tell the questions from their twins.
    pub twins: Option<Separation>,
}

impl Report {
    /// Scores what was predicted for the questions of `dataset`.
    pub fn new(dataset: &Dataset, predictions: &[Prediction], windows: usize, null_threshold: f64) -> Self {
        let labeled = dataset.is_labeled();
        let texts = predictions.iter().map(|p| (p.id.clone(), p.text.clone())).collect();
        let null_possible = predictions.iter().any(|question| question.null_odds.is_some());
        Report {
            questions: predictions.len(),
            windows,
            scores: labeled.then(|| evaluate(dataset, &texts)),
            null: (labeled && null_possible).then(|| {
                let (answers, odds) = best_and_odds(predictions);
                evaluate_null(dataset, &answers, &odds, null_threshold)
            }),
            twins: None,
        }
    }

    /// Adds what came of the questions and their twins together: see [`crate::twins`].
    #[must_use]
    pub fn with_twins(self, both: &Dataset, predictions: &[Prediction], null_threshold: f64) -> Self {
        let (answers, odds) = best_and_odds(predictions);
        Report { twins: Some(separation(both, &answers, &odds, null_threshold)), ..self }
    }

    /// Lines for people.
    pub fn text(&self) -> String {
        let Report { questions, windows, .. } = self;
        let mut out = match self.scores {
            Some(Scores { exact_match, f1, .. }) => {
                format!("EM {exact_match:.2}  F1 {f1:.2}  ({questions} questions, {windows} windows)\n")
            }
            None => format!(
                "no EM and F1: the file holds no answers  ({questions} questions, {windows} windows)\n"
            ),
        };
        if let Some(null) = self.null {
            for (name, part) in [("HasAns", null.has_answer), ("NoAns ", null.no_answer)] {
                if let Some(Scores { exact_match, f1, total }) = part {
                    put(
                        &mut out,
                        format_args!("{name}  EM {exact_match:.2}  F1 {f1:.2}  ({total} questions)\n"),
                    );
                }
            }
            let (exact, f1) = (null.best_exact, null.best_f1);
            put(
                &mut out,
                format_args!(
                    "best  EM {:.2} with --null-threshold {}, F1 {:.2} with --null-threshold {}\n",
                    exact.score,
                    found(exact.threshold),
                    f1.score,
                    found(f1.threshold)
                ),
            );
        }
        if let Some(twins) = self.twins {
            let Separation { with_answer, without_answer, auroc, f1, threshold, best_f1 } = twins;
            match auroc {
                None => out.push_str("twins  none: no question has another paragraph to ask on\n"),
                Some(auroc) => put(
                    &mut out,
                    format_args!(
                        "twins  AUROC {auroc:.4} of null_diff  ({with_answer} questions with an answer, \
                         {without_answer} without)\n\
                         twins  F1 {f1:.2} with --null-threshold {}, best F1 {:.2} with --null-threshold {}\n",
                        given(threshold),
                        best_f1.score,
                        found(best_f1.threshold)
                    ),
                ),
            }
        }
        out
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let part = |scores: Scores| json!({"exact_match": scores.exact_match, "f1": scores.f1, "questions": scores.total});
        let best = |best: crate::Best| json!({"score": best.score, "null_threshold": found(best.threshold)});
        let mut object = json!({
            "exact_match": self.scores.map(|scores| scores.exact_match),
            "f1": self.scores.map(|scores| scores.f1),
            "questions": self.questions,
            "windows": self.windows,
        });
        let mut add = |name: &str, value: Value| {
            if let Some(object) = object.as_object_mut() {
                object.insert(name.to_owned(), value);
            }
        };
        if let Some(null) = self.null {
            add("has_answer", null.has_answer.map_or(Value::Null, part));
            add("no_answer", null.no_answer.map_or(Value::Null, part));
            add("best_exact_match", best(null.best_exact));
            add("best_f1", best(null.best_f1));
        }
        if let Some(twins) = self.twins {
            let figures = json!({
                "with_answer": twins.with_answer,
                "without_answer": twins.without_answer,
                "auroc": twins.auroc,
                "f1": twins.f1,
                "null_threshold": given(twins.threshold),
                "best_f1": best(twins.best_f1),
            });
            add("twins", figures);
        }
        object.to_string() + "\n"
    }
}

fn put(out: &mut String, text: core::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}

/// The best answers that are not empty and the null odds, by question id.
fn best_and_odds(predictions: &[Prediction]) -> (BTreeMap<String, String>, BTreeMap<String, f64>) {
    (
        predictions.iter().map(|p| (p.id.clone(), p.best.clone())).collect(),
        predictions.iter().filter_map(|p| Some((p.id.clone(), p.null_odds?))).collect(),
    )
}

/// A threshold as the user gave it, which was perhaps read as f32.
fn given(threshold: f64) -> f64 {
    (threshold as f32).to_string().parse().unwrap_or(threshold)
}

/// A threshold that was found, six digits behind the point. It is rounded up: the null odds that it was taken from must
/// not be above it, in f32 or in f64.
fn found(threshold: f64) -> f64 {
    let rounded = (threshold * 1e6).ceil() / 1e6;
    if rounded >= threshold { rounded } else { threshold }
}

#[cfg(test)]
mod tests {
    use super::{found, given};

    #[test]
    fn thresholds_have_few_digits() {
        assert_eq!(given(f64::from(-19.27_f32)).to_string(), "-19.27");
        assert_eq!(found(f64::from(-19.27_f32)).to_string(), "-19.27");
        assert_eq!(found(f64::from(0.1_f32)).to_string(), "0.100001");
        assert_eq!(found(f64::NEG_INFINITY), f64::NEG_INFINITY);
    }

    #[test]
    fn rounding_takes_no_answer_away() {
        for odds in (-4000..4000).map(|i| f64::from(i) * 0.012_345_678_9) {
            assert!(found(odds) >= odds && found(odds) < odds + 2e-6, "{odds}");
            assert!(found(odds) as f32 >= odds as f32, "{odds}");
        }
    }
}
