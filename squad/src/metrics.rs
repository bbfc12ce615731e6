//! Exact match and F1, as the official evaluation scripts of SQuAD v1.1 and v2.0 count them.

use std::collections::{BTreeMap, HashMap};

use crate::python::split;
use crate::{Dataset, Question};

/// The scores of a set of predictions, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Mean exact match, 0 to 100.
    pub exact_match: f64,
    /// Mean F1, 0 to 100.
    pub f1: f64,
    /// Questions that were counted.
    pub total: usize,
}

/// Lower case, without ASCII punctuation, without the words *a*, *an* and *the*, single spaces.
pub fn normalize_answer(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    split(&replace_articles(&kept)).collect::<Vec<_>>().join(" ")
}

/// Replaces `\b(a|an|the)\b` by a space. A word is a run of word characters as Python's `re` sees
/// them, so "a–b" loses its "a".
fn replace_articles(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = is_word(first);
        let end = rest.find(|c| is_word(c) != in_word).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        out.push_str(if in_word && matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = tail;
    }
    out
}

/// Whether two answers are equal once normalized.
pub fn exact_match(prediction: &str, answer: &str) -> bool {
    normalize_answer(prediction) == normalize_answer(answer)
}

/// F1 of the bags of words of two normalized answers, 0 to 1; 0 when they share none.
pub fn f1(prediction: &str, answer: &str) -> f64 {
    let (prediction, answer) = (normalize_answer(prediction), normalize_answer(answer));
    let (predicted, expected): (Vec<&str>, Vec<&str>) =
        (split(&prediction).collect(), split(&answer).collect());
    let mut remaining: HashMap<&str, usize> = HashMap::new();
    for word in &expected {
        *remaining.entry(word).or_default() += 1;
    }
    let mut same = 0usize;
    for word in &predicted {
        if let Some(count @ 1..) = remaining.get_mut(word) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let precision = same as f64 / predicted.len() as f64;
    let recall = same as f64 / expected.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// Scores predicted texts, by question id.
///
/// Each question counts the best of its answers, separately for the two measures; a question without a
/// prediction counts 0. A data set that holds a question without an answer is scored by the rules of v2.0:
/// answers that normalize to nothing are left out, and a question that is left without an answer counts in
/// full for a prediction that normalizes to nothing.
pub fn evaluate(dataset: &Dataset, predictions: &BTreeMap<String, String>) -> Scores {
    Scores::mean(scored(dataset, predictions).iter().map(|question| question.score))
}

/// A question's exact match and F1, 0 to 1.
type Score = [f64; 2];

/// What came of a question.
pub(crate) struct Scored<'a> {
    pub(crate) id: &'a str,
    /// Whether it has an answer.
    pub(crate) has_answer: bool,
    /// 0 without a prediction.
    pub(crate) score: Score,
}

/// The score of every question, in the order of the data set.
pub(crate) fn scored<'a>(dataset: &'a Dataset, predictions: &BTreeMap<String, String>) -> Vec<Scored<'a>> {
    let version_2 = dataset.questions().any(|(_, q)| q.is_impossible || q.answers.is_empty());
    let of_question = |question: &Question| -> Score {
        let Some(prediction) = predictions.get(&question.id) else { return [0.0; 2] };
        let mut answers: Vec<&str> = question.answers.iter().map(|a| a.text.as_str()).collect();
        if version_2 {
            answers.retain(|text| !normalize_answer(text).is_empty());
            if answers.is_empty() {
                return [f64::from(u8::from(normalize_answer(prediction).is_empty())); 2];
            }
        }
        let best = |score: &dyn Fn(&str) -> f64| answers.iter().map(|a| score(a)).fold(0.0, f64::max);
        [
            best(&|answer| f64::from(u8::from(exact_match(prediction, answer)))),
            best(&|answer| f1(prediction, answer)),
        ]
    };
    dataset
        .questions()
        .map(|(_, question)| Scored {
            id: &question.id,
            has_answer: !question.answers.is_empty(),
            score: of_question(question),
        })
        .collect()
}

impl Scores {
    /// The mean over questions.
    pub(crate) fn mean(scores: impl Iterator<Item = Score>) -> Self {
        let (mut sums, mut total) = ([0.0; 2], 0usize);
        for score in scores {
            sums.iter_mut().zip(score).for_each(|(sum, score)| *sum += score);
            total += 1;
        }
        let [exact_match, f1] = sums.map(|sum| if total == 0 { 0.0 } else { 100.0 * sum / total as f64 });
        Scores { exact_match, f1, total }
    }
}

#[cfg(test)]
mod tests {
    use super::{exact_match, f1, normalize_answer};

    #[test]
    fn normalization_follows_the_official_script() {
        for (text, normalized) in [
            ("The Cat.", "cat"),
            ("a  cat\tand\nan owl", "cat and owl"),
            ("AN", ""),
            ("the-cat", "thecat"), // punctuation goes first, so the article is no word of its own
            ("the–cat", "–cat"),   // a dash that is not ASCII stays and bounds the article
            ("theatre another", "theatre another"),
            ("a_b", "ab"),
            ("Müller's Äpfel", "müllers äpfel"),
            ("$1,000.50", "100050"),
            ("the\u{a0}end", "end"),
            ("big\u{1c}cat\u{1f}\u{85}of the\u{1e}owl", "big cat of owl"), // Python's split() knows these too
        ] {
            assert_eq!(normalize_answer(text), normalized, "{text:?}");
        }
    }

    #[test]
    fn f1_counts_bags_of_words() {
        // 2 shared of 3 predicted and 2 expected: precision 2/3, recall 1.
        assert!((f1("big black cat", "the black cat") - 0.8).abs() < 1e-12);
        // A word counts as often as both sides hold it.
        assert!((f1("cat cat cat", "cat cat dog") - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(f1("cat", "dog"), 0.0);
        assert_eq!(f1("the", "a"), 0.0, "two empty bags share nothing");
        assert!(exact_match("the", "a"));
    }
}
