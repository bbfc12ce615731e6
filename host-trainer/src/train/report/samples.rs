//! Questions that were answered rightly and wrongly, as examples.

use core::ops::Range;
use std::collections::BTreeMap;

use blockspan_squad::metrics::{exact_match, f1, normalize_answer};
use blockspan_squad::{Dataset, Paragraph, Question};

/// Examples of each kind.
const EACH: usize = 10;

/// Bytes of the passage that are shown on either side of the answer.
const AROUND: usize = 180;

/// A question with what was answered and what was expected.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) question: String,
    pub(super) answer: String,
    /// The accepted answers, each once; none for a question without an answer.
    pub(super) expected: Vec<String>,
    /// The best over the accepted answers, 0 to 1.
    pub(super) f1: f64,
    /// What surrounds the first accepted answer, and its place therein.
    pub(super) passage: (String, Range<usize>),
}

/// Ten questions that were answered rightly and ten that were not, spread over the data set.
pub(super) fn samples(dataset: &Dataset, predictions: &BTreeMap<String, String>) -> [Vec<Sample>; 2] {
    let (right, wrong): (Vec<_>, Vec<_>) = dataset
        .questions()
        .map(|(paragraph, question)| (paragraph, question, text(predictions, question)))
        .partition(|(_, question, prediction)| is_right(question, prediction));
    [right, wrong].map(|all| {
        let count = all.len().min(EACH);
        (0..count).map(|i| all[i * all.len() / count]).map(|(p, q, text)| Sample::new(p, q, text)).collect()
    })
}

fn text<'a>(predictions: &'a BTreeMap<String, String>, question: &Question) -> &'a str {
    predictions.get(&question.id).map_or("", String::as_str)
}

fn is_right(question: &Question, prediction: &str) -> bool {
    match &question.answers[..] {
        [] => normalize_answer(prediction).is_empty(),
        answers => answers.iter().any(|answer| exact_match(prediction, &answer.text)),
    }
}

impl Sample {
    fn new(paragraph: &Paragraph, question: &Question, prediction: &str) -> Self {
        let mut expected: Vec<String> = Vec::new();
        for answer in &question.answers {
            if !expected.contains(&answer.text) {
                expected.push(answer.text.clone());
            }
        }
        let context = &paragraph.context;
        let place = question.answers.first().and_then(|answer| answer.byte_range(context));
        Sample {
            question: question.question.trim().to_owned(),
            answer: prediction.to_owned(),
            f1: question.answers.iter().map(|answer| f1(prediction, &answer.text)).fold(0.0, f64::max),
            expected,
            passage: excerpt(context, place.unwrap_or(0..0)),
        }
    }
}

/// The part of a passage around `place`, cut at spaces, and where `place` lies in it.
fn excerpt(context: &str, place: Range<usize>) -> (String, Range<usize>) {
    let boundary = |at: usize| context.floor_char_boundary(at.min(context.len()));
    let mut start = boundary(place.start.saturating_sub(AROUND));
    if start > 0 {
        start += context[start..place.start].find(' ').map_or(0, |space| space + 1);
    }
    let mut end = boundary(place.end + AROUND);
    if end < context.len() {
        end = context[place.end..end].rfind(' ').map_or(end, |space| place.end + space);
    }
    let before = if start > 0 { "… " } else { "" };
    let after = if end < context.len() { " …" } else { "" };
    let place = before.len() + place.start - start..before.len() + place.end - start;
    (format!("{before}{}{after}", &context[start..end]), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_holds_its_place_whatever_the_characters() {
        let context = "é ".repeat(400) + "answer" + &" ü".repeat(400);
        let at = context.find("answer").expect("a place");
        for place in [at..at + 6, 0..2, context.len() - 2..context.len(), 0..0] {
            let (text, shown) = excerpt(&context, place.clone());
            assert_eq!(&text[shown], &context[place]);
            assert!(text.len() < 2 * AROUND + 20);
        }
        assert_eq!(excerpt("", 0..0), (String::new(), 0..0));
    }

    #[test]
    fn ten_of_each_kind_are_spread_over_the_questions() {
        let questions: Vec<String> = (0..100)
            .map(|i| {
                format!(
                    r#"{{"id": "{i}", "question": "{i} ?", "answers": [{{"text": "The Cat", "answer_start": 0}}]}}"#
                )
            })
            .collect();
        let json = format!(
            r#"{{"data": [{{"paragraphs": [{{"context": "The Cat sat", "qas": [{}]}}]}}]}}"#,
            questions.join(",")
        );
        let dataset = Dataset::parse(json.as_bytes(), "data.json").expect("a data set");
        // Every fifth is wrong, one of those without a prediction.
        let answer = |i: u32| if i.is_multiple_of(5) { "the cat sat" } else { "cat" };
        let predictions = (1..100).map(|i| (i.to_string(), answer(i).to_owned())).collect();
        let [right, wrong] = samples(&dataset, &predictions);
        assert_eq!((right.len(), wrong.len()), (10, 10));
        assert!(right.iter().all(|sample| sample.answer == "cat" && sample.f1 == 1.0));
        assert_eq!((wrong[0].answer.as_str(), wrong[0].f1), ("", 0.0));
        assert!(wrong[1..].iter().all(|sample| sample.f1 > 0.0 && sample.f1 < 1.0));
        assert_eq!(right[9].question, "91 ?");
        assert_eq!(right[0].expected, ["The Cat"]);
        assert_eq!(right[0].passage, ("The Cat sat".into(), 0..7));
    }
}
