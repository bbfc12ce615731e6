//! BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009).

use core::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};

use crate::analysis::{Analyzer, words};
use crate::index::Index;
use crate::stop_words::is_stop_word;

/// So many times the passages that are asked for are looked through for copies of each other.
const COPIES: usize = 8;

/// So many times the passages that are asked for are read for neighboring words, and at least [`READ_LEAST`].
const READ: usize = 2;
const READ_LEAST: usize = 10;

/// Pairs of neighboring words that are looked for, at most: no question of a person has so many.
const PAIRS: usize = 32;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// The most passages, best first. Those with the same text count once.
    pub passages: usize,
    /// How soon it stops to matter how often a word stands in a passage.
    pub k1: f32,
    /// How much a long passage counts less: 0, not at all, to 1.
    pub b: f32,
    /// As how many times in the text a word in the title counts.
    pub title_weight: f32,
    /// What it is worth that two words stand side by side in a passage as in the question, in parts of the rarity of the
    /// more frequent one. Counts for the passages that are best without it: twice as many as are asked for, at least 10.
    pub pair_weight: f32,
}

impl Default for SearchOptions {
    /// 20 passages; the other numbers are from the plateau of those that find the most paragraphs for questions of SQuAD's
    /// training set.
    fn default() -> Self {
        Self { passages: 20, k1: 0.6, b: 0.75, title_weight: 1.0, pair_weight: 0.5 }
    }
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its number.
    pub passage: u32,
    /// How well it fits the question; above 0. The same question gives the same number on every machine.
    pub score: f32,
    /// Further passages with the same text, which need not be read.
    pub copies: Vec<u32>,
}

impl Index {
    /// The best passages for a question, best first; equal ones in their order. None if no passage has any of its words.
    pub fn search(&self, question: &str, options: &SearchOptions) -> Vec<Hit> {
        let mut scores = vec![0f32; self.passages()];
        let terms = Terms::of(question, self);
        for &term in &terms.telling {
            self.add(term, options, &mut scores);
        }
        let kept = options.passages.saturating_mul(COPIES);
        let mut found = BinaryHeap::new();
        for (&score, passage) in scores.iter().zip(0..).filter(|(score, _)| **score > 0.0) {
            let scored = Scored { score, passage };
            if found.len() < kept {
                found.push(scored);
            } else if found.peek().is_some_and(|worst| scored < *worst) {
                found.pop();
                found.push(scored);
            }
        }
        let mut found = found.into_sorted_vec();
        if options.pair_weight > 0.0 && !terms.pairs.is_empty() {
            let read = options.passages.saturating_mul(READ).max(READ_LEAST).min(found.len());
            for passage in found.iter_mut().take(read) {
                passage.score += options.pair_weight * self.pairs(&terms.pairs, passage.passage);
            }
            found.get_mut(..read).into_iter().for_each(<[Scored]>::sort_unstable);
        }
        self.distinct(found, options.passages)
    }

    /// What the pairs that a passage has are worth, each once.
    fn pairs(&self, pairs: &[Pair], passage: u32) -> f32 {
        let text = self.passage(passage).map(|passage| passage.text).unwrap_or_default();
        let analyzer = Analyzer::new();
        let mut found = vec![false; pairs.len()];
        let mut before = String::new();
        words(text, |word| {
            let term = analyzer.term(word);
            for (pair, found) in pairs.iter().zip(&mut found) {
                *found |= pair.second == term && pair.first == before;
            }
            before = term;
        });
        pairs.iter().zip(found).filter(|(_, found)| *found).map(|(pair, _)| pair.rarity).sum()
    }

    /// How much it tells that a passage has a term: the logarithm of the odds that one has not.
    fn rarity(&self, term: usize) -> f32 {
        let passages = self.passages() as f64;
        let with = f64::from(self.term_record(term).passages);
        ln(1.0 + (passages - with + 0.5) / (with + 0.5)) as f32
    }

    /// Adds what a term is worth to the passages that have it.
    fn add(&self, term: usize, options: &SearchOptions, scores: &mut [f32]) {
        let &SearchOptions { k1, b, title_weight, .. } = options;
        let rarity = self.rarity(term);
        let average = (self.words() as f64 / self.passages() as f64).max(1.0) as f32;
        for posting in self.postings(term) {
            let words = self.passage_record(posting.passage).words as f32;
            let count = posting.count as f32 + if posting.in_title { title_weight } else { 0.0 };
            let length = k1 * (1.0 - b + b * (words / average));
            if let Some(score) = scores.get_mut(posting.passage as usize) {
                *score += rarity * (count * (k1 + 1.0) / (count + length));
            }
        }
    }

    /// The first so many passages, each text once.
    fn distinct(&self, found: Vec<Scored>, most: usize) -> Vec<Hit> {
        let text = |passage| self.passage(passage).map(|passage| passage.text).unwrap_or_default();
        let mut hits: Vec<Hit> = Vec::new();
        let mut texts = Vec::new();
        for Scored { score, passage } in found {
            let text = text(passage);
            if let Some(at) = texts.iter().position(|known| *known == text) {
                hits.get_mut(at).into_iter().for_each(|hit| hit.copies.push(passage));
            } else if hits.len() < most {
                texts.push(text);
                hits.push(Hit { passage, score, copies: Vec::new() });
            }
        }
        hits
    }
}

/// What a question looks for.
#[derive(Default)]
struct Terms {
    /// The terms that the index has, each once: without words that say nothing, unless there are no others.
    telling: Vec<usize>,
    /// Of neighboring words that both say something.
    pairs: Vec<Pair>,
}

/// Two terms side by side.
struct Pair {
    first: String,
    second: String,
    /// Of the more frequent one.
    rarity: f32,
}

impl Terms {
    fn of(question: &str, index: &Index) -> Self {
        let analyzer = Analyzer::new();
        // Each word's term, and whether it says something.
        let mut all = Vec::new();
        words(question, |word| all.push((analyzer.term(word), !is_stop_word(word))));
        let any = all.iter().any(|(_, telling)| *telling);
        let mut terms = Self::default();
        // A set, since a question may be as long as a book.
        let mut known = HashSet::new();
        let chosen = all.iter().filter(|(_, telling)| *telling || !any);
        let found = chosen.filter_map(|(term, _)| index.find(term));
        terms.telling = found.filter(|&term| known.insert(term)).collect();
        for pair in all.windows(2) {
            let [(first, true), (second, true)] = pair else { continue };
            if terms.pairs.len() == PAIRS {
                break;
            }
            let known = terms.pairs.iter().any(|pair| pair.first == *first && pair.second == *second);
            let found = index.find(first).zip(index.find(second)).filter(|_| !known);
            if let Some((a, b)) = found {
                let rarity = index.rarity(a).min(index.rarity(b));
                terms.pairs.push(Pair { first: first.clone(), second: second.clone(), rarity });
            }
        }
        terms
    }
}

/// A passage and its score; the better, the less.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scored {
    score: f32,
    passage: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.passage.cmp(&other.passage))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The natural logarithm of a positive number to some 10 digits, by additions and products only, so that it has the same
/// bits everywhere.
fn ln(x: f64) -> f64 {
    /// 2^52, the weight of the lowest bit of an exponent.
    const EXPONENT: i64 = 1 << 52;
    let bits = x.to_bits().cast_signed();
    // With a mantissa between 1/sqrt(2) and sqrt(2).
    let exponent = (bits - core::f64::consts::FRAC_1_SQRT_2.to_bits().cast_signed()).div_euclid(EXPONENT);
    let mantissa = f64::from_bits((bits - exponent * EXPONENT).cast_unsigned());
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..8u32).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    exponent as f64 * core::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::ln;

    #[test]
    fn the_logarithm_is_one() {
        for x in [1.0, 1.4, 1.5, 2.0, 3.0, 10.0, 1234.5, 1e9, 0.3, 1e-9] {
            let expected = f64::ln(x);
            assert!((ln(x) - expected).abs() < 1e-9 * expected.abs().max(1.0), "{x}: {}", ln(x));
        }
    }
}
