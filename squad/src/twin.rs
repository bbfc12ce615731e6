//! Another paragraph for a question: one that does not answer it.
//!
//! A question on a paragraph that does not hold its answer has no answer there. Such pairs measure, and teach, when a
//! model should say nothing, without a file that holds unanswerable questions.

use std::collections::HashSet;

use crate::metrics::normalize_answer;
use crate::{Dataset, Paragraph, Question};

/// Chooses another paragraph that holds none of a question's accepted answers, by a seed: the same arguments give the
/// same paragraph.
///
/// `paragraph` is an index into [`Dataset::paragraphs`], `question` one into that paragraph's questions; the result is
/// again an index into the paragraphs. With `same_article` the paragraph comes from the question's own article, which
/// is the harder case, and only where that has none from another; without, the other way round.
///
/// A paragraph holds an answer when the answer's words stand in it, compared once as the metric compares them
/// ([`normalize_answer`]) and once with every mark that is not a letter or a digit read as a space: "cat" is in
/// "the cat-flap", but not in "the catalog". A paragraph with the same text is not another one.
///
/// Nothing when no paragraph qualifies, when an index is out of range, and for a question that is unanswerable as it is:
/// nobody knows which paragraphs answer that.
pub fn other_paragraph(
    dataset: &Dataset,
    paragraph: usize,
    question: usize,
    same_article: bool,
    seed: u64,
) -> Option<usize> {
    let own = dataset.paragraphs.get(paragraph)?;
    let asked = own.questions.get(question)?;
    if asked.is_unanswerable() {
        return None;
    }
    let answers: Vec<Words> = asked.answers.iter().map(|answer| Words::of(&answer.text)).collect();
    let qualifies = |index: usize| {
        dataset.paragraphs.get(index).is_some_and(|other| {
            let words = Words::of(&other.context);
            other.context != own.context && !answers.iter().any(|answer| words.hold(answer))
        })
    };
    let order = Order::new(dataset.paragraphs.len(), [seed, paragraph as u64, question as u64]);
    let preferred = |index: &usize| {
        dataset.paragraphs.get(*index).is_some_and(|other| (other.article == own.article) == same_article)
    };
    let first = order.clone().filter(preferred).find(|&index| qualifies(index));
    first.or_else(|| order.filter(|index| !preferred(index)).find(|&index| qualifies(index)))
}

/// The data set, with each question that has an answer once more behind it: on another paragraph of its own article that
/// does not answer it, or of another article if there is none ([`other_paragraph`]). These twins are marked as
/// impossible; each is called as its original with `-twin` behind it, and each has a paragraph of its own. A question
/// that no paragraph fits has no twin.
pub fn twins(dataset: &Dataset, seed: u64) -> Dataset {
    let mut both = dataset.clone();
    let mut ids: HashSet<String> = dataset.questions().map(|(_, question)| question.id.clone()).collect();
    for (at, paragraph) in dataset.paragraphs.iter().enumerate() {
        for (index, question) in paragraph.questions.iter().enumerate() {
            if question.is_unanswerable() {
                continue;
            }
            let other = other_paragraph(dataset, at, index, true, seed);
            let Some(other) = other.and_then(|other| dataset.paragraphs.get(other)) else { continue };
            let mut id = format!("{}-twin", question.id);
            while !ids.insert(id.clone()) {
                id.push_str("-twin");
            }
            let twin = Question { id, answers: Vec::new(), is_impossible: true, ..question.clone() };
            both.paragraphs.push(Paragraph {
                questions: vec![twin],
                article: other.article,
                title: other.title.clone(),
                context: other.context.clone(),
            });
        }
    }
    both
}

/// The words of a text, each between two spaces.
struct Words {
    /// After [`normalize_answer`].
    normalized: String,
    /// Runs of letters and digits, in lower case, without articles.
    alphanumeric: String,
}

impl Words {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let runs = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|run| !matches!(*run, "" | "a" | "an" | "the"));
        Self { normalized: spaced(normalize_answer(text).split(' ')), alphanumeric: spaced(runs) }
    }

    /// Whether the words of `answer` stand here, one after another. One without words, such as "%", is never there in
    /// a way that could be compared.
    fn hold(&self, answer: &Self) -> bool {
        let holds = |words: &str, answer: &str| !answer.trim().is_empty() && words.contains(answer);
        holds(&self.normalized, &answer.normalized) || holds(&self.alphanumeric, &answer.alphanumeric)
    }
}

fn spaced<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from(" ");
    for word in words {
        out.push_str(word);
        out.push(' ');
    }
    out
}

/// All numbers below `len`, each once, in an order that a seed decides: steps of equal width around a circle, from a
/// random start. A width without a common factor with `len` visits all.
#[derive(Clone)]
struct Order {
    at: usize,
    width: usize,
    len: usize,
    left: usize,
}

impl Order {
    fn new(len: usize, seed: [u64; 3]) -> Self {
        let mut state = seed.into_iter().fold(0, |state, part| mix(state ^ part));
        let mut below = |n: usize| {
            state = mix(state);
            // `n` is far below 2⁶⁴: the remainder favors none noticeably.
            (state % n.max(1) as u64) as usize
        };
        let at = below(len);
        let mut width = 1 + below(len.saturating_sub(1));
        while common_factor(width, len) > 1 {
            width = width % len + 1;
        }
        Self { at, width, len, left: len }
    }
}

impl Iterator for Order {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let now = self.at;
        self.at = (self.at + self.width) % self.len;
        Some(now)
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): one step.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

fn common_factor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_factor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Order, Words};

    #[test]
    fn an_order_visits_every_number_once() {
        for len in [0, 1, 2, 3, 4, 12, 30, 97, 360] {
            for seed in 0..20 {
                let mut visited: Vec<usize> = Order::new(len, [seed, 1, 2]).collect();
                visited.sort_unstable();
                assert!(visited.into_iter().eq(0..len), "{len} numbers, seed {seed}");
            }
        }
    }

    #[test]
    fn an_answer_is_found_by_whole_words() {
        let holds = |text: &str, answer: &str| Words::of(text).hold(&Words::of(answer));
        assert!(holds("The cat-flap.", "a CAT"));
        assert!(holds("In the U.S. since 1901", "US"));
        assert!(holds("built 1862–1901, they say", "1862"));
        assert!(holds("about 31 metres", "31 metres"));
        assert!(!holds("the catalog", "cat"));
        assert!(!holds("metres: 31", "31 metres"));
        assert!(!holds("anything", "%"), "no words to compare");
    }
}
