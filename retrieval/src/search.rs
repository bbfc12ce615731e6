//! BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009).

use core::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};

use crate::analysis::{Analyzer, words};
use crate::index::Index;
use crate::stop_words::is_stop_word;

/// So many times the passages that are asked for are looked through for copies of each other.
const COPIES: usize = 8;

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
}

impl Default for SearchOptions {
    /// 20 passages; the other numbers found the most paragraphs for questions of SQuAD's training set.
    fn default() -> Self {
        Self { passages: 20, k1: 0.6, b: 0.75, title_weight: 1.0 }
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
        for term in self.terms_of(question) {
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
        let found = found.into_sorted_vec();
        self.distinct(found, options.passages)
    }

    /// The terms of a question that the index has, each once: without words that say nothing, unless it has no others.
    fn terms_of(&self, question: &str) -> Vec<usize> {
        let (mut all, mut telling) = (Vec::new(), Vec::new());
        words(question, |word| {
            if !is_stop_word(word) {
                telling.push(word.to_owned());
            }
            all.push(word.to_owned());
        });
        let analyzer = Analyzer::new();
        let chosen = if telling.is_empty() { all } else { telling };
        // A set, since a question may be as long as a book.
        let mut known = HashSet::new();
        let found = chosen.iter().filter_map(|word| self.find(&analyzer.term(word)));
        found.filter(|&term| known.insert(term)).collect()
    }

    /// Adds what a term is worth to the passages that have it.
    fn add(&self, term: usize, options: &SearchOptions, scores: &mut [f32]) {
        let &SearchOptions { k1, b, title_weight, .. } = options;
        let passages = self.passages() as f64;
        let with = f64::from(self.term_record(term).passages);
        let rarity = ln(1.0 + (passages - with + 0.5) / (with + 0.5)) as f32;
        let average = (self.words() as f64 / passages).max(1.0) as f32;
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
