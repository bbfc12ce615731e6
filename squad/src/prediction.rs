//! From spans and their logits to answers, as `postprocess_qa_predictions` of transformers' `run_qa.py` does it.

use serde::Serialize;

/// What `run_qa.py` answers where no span can be formed.
const NO_SPAN: &str = "empty";

/// A span of a passage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span<'a> {
    /// Logit of its first token.
    pub start_logit: f32,
    /// Logit of its last token.
    pub end_logit: f32,
    /// Its text; empty for the null answer.
    pub text: &'a str,
}

/// The logits at `[CLS]`, of the window where their sum is least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NullLogits {
    /// As a start.
    pub start: f32,
    /// As an end.
    pub end: f32,
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// The question's id.
    pub id: String,
    /// The answer; empty where the null answer wins.
    pub text: String,
    /// The best answer that is not empty.
    pub best: String,
    /// Null score minus the score of [`best`](Self::best) (`null_diff`), where the null answer is possible.
    pub null_odds: Option<f64>,
    /// The n best, best first; the null answer is among them where it is possible.
    pub n_best: Vec<NBest>,
}

/// One of the n best answers, in the order of keys that `run_qa.py` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NBest {
    /// Logit of its first token.
    pub start_logit: f64,
    /// Logit of its last token.
    pub end_logit: f64,
    /// Its text; empty for the null answer.
    pub text: String,
    /// Its share among the n best: softmax of `start_logit + end_logit`.
    pub probability: f64,
}

impl Span<'_> {
    fn score(&self) -> f32 {
        self.start_logit + self.end_logit
    }
}

impl Prediction {
    /// Chooses among `spans`, best first, and the null answer, if that is possible: it then wins where its score is
    /// more than `null_threshold` above the best span's. At most `count` of all these become the n best, and the null
    /// answer one more if it is not among them.
    pub fn new(id: &str, spans: &[Span<'_>], count: usize, null: Option<(NullLogits, f64)>) -> Self {
        let mut all = spans.to_vec();
        if let Some((null, _)) = null {
            let null = Span { start_logit: null.start, end_logit: null.end, text: "" };
            let at = all.partition_point(|span| span.score() >= null.score());
            all.insert(at, null);
            all.truncate(count);
            if at >= count {
                all.push(null);
            }
        }
        if all.iter().all(|span| span.text.is_empty()) {
            all.insert(0, Span { text: NO_SPAN, ..Span::default() });
        }
        let most = all.iter().map(|span| f64::from(span.score())).fold(f64::NEG_INFINITY, f64::max);
        let weight = |span: &Span<'_>| (f64::from(span.score()) - most).exp();
        let total: f64 = all.iter().map(weight).sum();
        let no_span = Span { text: NO_SPAN, ..Span::default() };
        let best = all.iter().find(|span| !span.text.is_empty()).copied().unwrap_or(no_span);
        // In the order in which `run_qa.py` subtracts, in f32.
        let odds = |null: NullLogits| f64::from(null.start + null.end - best.start_logit - best.end_logit);
        let null_wins = null.is_some_and(|(null, threshold)| odds(null) > threshold);
        let n_best = all.iter().map(|span| NBest {
            start_logit: f64::from(span.start_logit),
            end_logit: f64::from(span.end_logit),
            text: span.text.to_owned(),
            probability: weight(span) / total,
        });
        Prediction {
            id: id.to_owned(),
            text: if null_wins { String::new() } else { best.text.to_owned() },
            best: best.text.to_owned(),
            null_odds: null.map(|(null, _)| odds(null)),
            n_best: n_best.collect(),
        }
    }

    /// For a question that cannot be asked as it stands: the empty answer.
    pub fn none(id: &str) -> Self {
        Prediction { id: id.to_owned(), ..Prediction::default() }
    }
}
