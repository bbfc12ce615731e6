//! From start and end logits to the best spans of a passage.
//!
//! The rules are those of transformers' `run_qa.py` (`postprocess_qa_predictions`): per window the `n_best`
//! highest starts are paired with the `n_best` highest ends; pairs that are reversed or longer than `max_answer_len`
//! tokens are dropped; the rest of all windows is pooled and the best are kept. The score of a span is
//! `start_logit + end_logit`, the null score of a window the same sum at `[CLS]`, and that of the passage the minimum
//! over its windows.
//!
//! It differs from `run_qa.py` in this:
//!
//! * A span that two windows share is one candidate, with the better of its two scores. There it takes two places
//!   among the `n_best`, and both count in the softmax, so that the score of an answer depends on where windows fall.
//!   (The same text elsewhere in the passage is another span, there and here.)
//! * The `n_best` starts and ends are looked for among the passage's tokens. There they are those of the whole window,
//!   and what lies in the question is dropped afterwards; if all of them do, there is no answer.
//! * If no pair of any window fits, the best span that does fit is the only candidate. There, again, there is no
//!   answer.
//! * Where `run_qa.py` leaves ties to its sort, the order here is total: higher score, then lower start, then shorter
//!   span; among equal logits of one window the earlier token counts as the better one.

use core::cmp::Ordering;
use core::ops::Range;

/// The largest `n_best` of a [`SpanPool`]: starts and ends examined per window.
pub const MAX_N_BEST: usize = 64;

/// One possible answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidate {
    /// First byte of the answer in the passage.
    pub start: u32,
    /// One past the last byte of the answer in the passage.
    pub end: u32,
    /// Logit of the first token as a start.
    pub start_logit: f32,
    /// Logit of the last token as an end.
    pub end_logit: f32,
}

impl Candidate {
    /// `start_logit + end_logit`.
    pub fn score(&self) -> f32 {
        self.start_logit + self.end_logit
    }

    /// Best first: higher score, then lower start, then shorter.
    fn order(&self, other: &Self) -> Ordering {
        other
            .score()
            .partial_cmp(&self.score())
            .unwrap_or(Ordering::Equal)
            .then(self.start.cmp(&other.start))
            .then(self.end.cmp(&other.end))
    }
}

/// The logits of one window and where its tokens lie in the passage.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// One logit per token of the window, `[CLS]` first.
    pub start_logits: &'a [f32],
    /// One logit per token of the window, `[CLS]` first.
    pub end_logits: &'a [f32],
    /// Positions in the window that hold tokens of the passage.
    pub passage: Range<usize>,
    /// Byte offsets in the passage, one pair per passage token: `offsets[k]` belongs to position
    /// `passage.start + k`.
    pub offsets: &'a [[u32; 2]],
}

/// Collects the best spans over the windows of one passage.
#[derive(Debug)]
pub struct SpanPool<'a> {
    best: &'a mut [Candidate],
    len: usize,
    /// The best span that fits, of windows in which no pair of the `n_best` does; counts while there is no other.
    last_resort: Option<Candidate>,
    n_best: usize,
    max_answer_len: usize,
    null_logits: [f32; 2],
}

impl<'a> SpanPool<'a> {
    /// An empty pool that keeps at most `best.len()` candidates. `n_best` starts and ends are examined per
    /// window (at most [`MAX_N_BEST`]); spans of more than `max_answer_len` tokens are dropped.
    pub fn new(best: &'a mut [Candidate], n_best: usize, max_answer_len: usize) -> Self {
        Self {
            best,
            len: 0,
            last_resort: None,
            n_best: n_best.min(MAX_N_BEST),
            max_answer_len,
            null_logits: [f32::INFINITY; 2],
        }
    }

    /// Adds a window's candidates. A logit that is not a number counts as absent, and so does a sum.
    pub fn add_window(&mut self, window: &Window<'_>) {
        if let (Some(&start), Some(&end)) = (window.start_logits.first(), window.end_logits.first())
            && start + end < self.null_score()
        {
            self.null_logits = [start, end];
        }
        let starts = Top::of(window.of_passage(window.start_logits), self.n_best);
        let ends = Top::of(window.of_passage(window.end_logits), self.n_best);
        for (first, start_logit) in starts.iter() {
            for (last, end_logit) in ends.iter() {
                if last < first || last - first >= self.max_answer_len {
                    continue;
                }
                if let Some(candidate) = window.candidate((first, start_logit), (last, end_logit)) {
                    self.insert(candidate);
                }
            }
        }
        if self.len == 0 {
            self.search(window);
        }
    }

    /// The candidates so far, best first, each span once.
    pub fn candidates(&self) -> &[Candidate] {
        match &self.last_resort {
            Some(span) if self.len == 0 && !self.best.is_empty() => core::slice::from_ref(span),
            _ => self.kept(),
        }
    }

    fn kept(&self) -> &[Candidate] {
        self.best.get(..self.len).unwrap_or(&[])
    }

    /// The least `[CLS]` start + end over the windows; +∞ before the first window.
    pub fn null_score(&self) -> f32 {
        let [start, end] = self.null_logits;
        start + end
    }

    /// Start and end logit whose sum is the null score; +∞ before the first window.
    pub fn null_logits(&self) -> [f32; 2] {
        self.null_logits
    }

    /// Looks at every span of the window that is not too long.
    fn search(&mut self, window: &Window<'_>) {
        let ends = window.of_passage(window.end_logits);
        for (first, &start_logit) in window.of_passage(window.start_logits).iter().enumerate() {
            for (last, &end_logit) in ends.iter().enumerate().skip(first).take(self.max_answer_len) {
                if let Some(candidate) = window.candidate((first, start_logit), (last, end_logit))
                    && self.last_resort.is_none_or(|best| candidate.order(&best) == Ordering::Less)
                {
                    self.last_resort = Some(candidate);
                }
            }
        }
    }

    /// Insertion into the sorted prefix; the worst falls out when the pool is full, and of the same span the worse.
    fn insert(&mut self, candidate: Candidate) {
        let kept = self.kept();
        let worse = |kept: &Candidate| candidate.order(kept) == Ordering::Less;
        if self.len == self.best.len() && !kept.last().is_some_and(worse) {
            return;
        }
        let at = kept.partition_point(|kept| kept.order(&candidate) != Ordering::Greater);
        let same = kept.iter().position(|kept| (kept.start, kept.end) == (candidate.start, candidate.end));
        let end = match same {
            Some(same) if kept.get(same).is_some_and(worse) => same + 1,
            Some(_) => return,
            None => {
                self.len = self.best.len().min(self.len + 1);
                self.len
            }
        };
        if let Some(tail) = self.best.get_mut(at..end)
            && let Some(moved) = tail.len().checked_sub(1)
        {
            tail.copy_within(..moved, 1);
            if let Some(slot) = tail.first_mut() {
                *slot = candidate;
            }
        }
    }
}

impl Window<'_> {
    /// Those of the passage's tokens.
    fn of_passage<'l>(&self, logits: &'l [f32]) -> &'l [f32] {
        logits.get(self.passage.clone()).unwrap_or(&[])
    }

    /// The span from one token of the passage to another, given by their numbers and logits.
    fn candidate(
        &self,
        (first, start_logit): (usize, f32),
        (last, end_logit): (usize, f32),
    ) -> Option<Candidate> {
        let (&[start, _], &[_, end]) = self.offsets.get(first).zip(self.offsets.get(last))?;
        Some(Candidate { start, end, start_logit, end_logit }).filter(|span| !span.score().is_nan())
    }
}

/// The `k` highest of some logits, highest first.
struct Top {
    positions: [(u32, f32); MAX_N_BEST],
    len: usize,
}

impl Top {
    fn of(logits: &[f32], k: usize) -> Self {
        let mut top = Self { positions: [(0, 0.0); MAX_N_BEST], len: 0 };
        for (position, &logit) in (0u32..).zip(logits) {
            top.offer(position, logit, k);
        }
        top
    }

    fn offer(&mut self, position: u32, logit: f32, k: usize) {
        let full = self.len >= k;
        let worst = self.positions.get(self.len.wrapping_sub(1)).map(|worst| worst.1);
        if logit.is_nan() || k == 0 || (full && worst.is_some_and(|worst| logit <= worst)) {
            return;
        }
        let kept = self.positions.get(..self.len).unwrap_or(&[]);
        let at = kept.partition_point(|&(_, other)| other >= logit);
        if !full {
            self.len += 1;
        }
        if let Some(tail) = self.positions.get_mut(at..self.len)
            && let Some(moved) = tail.len().checked_sub(1)
        {
            tail.copy_within(..moved, 1);
            if let Some(slot) = tail.first_mut() {
                *slot = (position, logit);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.positions.iter().take(self.len).map(|&(position, logit)| (position as usize, logit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const OFFSETS: [[u32; 2]; 4] = [[0, 3], [4, 7], [8, 9], [10, 14]];

    fn window<'a>(start_logits: &'a [f32], end_logits: &'a [f32]) -> Window<'a> {
        // [CLS] q [SEP] p0 p1 p2 p3 [SEP]
        Window { start_logits, end_logits, passage: 3..7, offsets: &OFFSETS }
    }

    fn spans(pool: &SpanPool<'_>) -> [(u32, u32); 3] {
        let mut out = [(0, 0); 3];
        for (out, c) in out.iter_mut().zip(pool.candidates()) {
            *out = (c.start, c.end);
        }
        out
    }

    #[test]
    fn best_pair_wins_and_question_tokens_never_do() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 20, 30);
        pool.add_window(&window(
            &[0.0, 9.0, 9.0, 1.0, 5.0, 0.0, 0.0, 9.0],
            &[0.5, 9.0, 9.0, 0.0, 1.0, 4.0, 0.0, 9.0],
        ));
        let first = pool.candidates()[0];
        assert_eq!((first.start, first.end, first.score()), (4, 9, 9.0));
        assert_eq!(pool.null_score(), 0.5);
    }

    #[test]
    fn ties_go_to_the_lower_start_then_to_the_shorter() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 20, 30);
        pool.add_window(&window(&[1.0; 8], &[1.0; 8]));
        assert_eq!(spans(&pool), [(0, 3), (0, 7), (0, 9)]);
    }

    #[test]
    fn length_limit_counts_tokens() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 20, 2);
        pool.add_window(&window(&[0., 0., 0., 9., 0., 0., 0., 0.], &[0., 0., 0., 0., 0., 0., 9., 0.]));
        assert!(pool.candidates().iter().all(|c| (c.start, c.end) != (0, 14)));
        let first = pool.candidates()[0];
        assert_eq!((first.start, first.end), (0, 3), "equal sums: lower start, then shorter");
    }

    #[test]
    fn windows_are_pooled_and_the_null_score_is_the_least() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 1, 30);
        pool.add_window(&window(&[3., 0., 0., 4., 0., 0., 0., 0.], &[3., 0., 0., 0., 4., 0., 0., 0.]));
        pool.add_window(&window(&[1.5, 0., 0., 0., 0., 7., 0., 0.], &[0.5, 0., 0., 0., 0., 0., 7., 0.]));
        assert_eq!(spans(&pool)[..2], [(8, 14), (0, 7)]);
        assert_eq!((pool.null_score(), pool.null_logits()), (2.0, [1.5, 0.5]));
    }

    /// It was two answers, in the `n_best` and in the softmax.
    #[test]
    fn a_span_that_two_windows_share_is_one_candidate_with_the_better_score() {
        let weak = window(&[0., 0., 0., 4., 0., 0., 0., 0.], &[0., 0., 0., 0., 4., 0., 0., 0.]);
        let strong = window(&[0., 0., 0., 6., 0., 0., 0., 0.], &[0., 0., 0., 0., 5., 0., 0., 0.]);
        let other = window(&[0., 0., 0., 0., 0., 9., 0., 0.], &[0., 0., 0., 0., 0., 0., 0.5, 0.]);
        for windows in [[&weak, &other, &strong], [&strong, &other, &weak], [&other, &weak, &strong]] {
            let mut best = [Candidate::default(); 3];
            let mut pool = SpanPool::new(&mut best, 1, 30);
            windows.into_iter().for_each(|window| pool.add_window(window));
            let scores: Vec<f32> = pool.candidates().iter().map(Candidate::score).collect();
            assert_eq!((spans(&pool), scores), ([(0, 7), (8, 14), (0, 0)], vec![11.0, 9.5]));
        }
    }

    #[test]
    fn only_the_n_best_starts_and_ends_are_paired() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 1, 30);
        pool.add_window(&window(&[0., 0., 0., 1., 5., 4., 0., 0.], &[0., 0., 0., 0., 1., 5., 4., 0.]));
        assert_eq!((pool.candidates().len(), spans(&pool)[0]), (1, (4, 9)));
    }

    /// There was no answer: the question's tokens took the places of the passage's.
    #[test]
    fn the_n_best_are_looked_for_in_the_passage() {
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 2, 30);
        pool.add_window(&window(&[8., 9., 7., 1., 2., 0., 0., 9.], &[8., 9., 7., 0., 1., 3., 0., 9.]));
        assert_eq!(spans(&pool), [(4, 9), (0, 9), (4, 7)]);
    }

    /// There was no answer: the best start lies behind the best end, or they are too far from each other.
    #[test]
    fn if_no_pair_of_the_n_best_fits_the_best_span_that_does_is_the_answer() {
        let reversed = window(&[0., 0., 0., 1., 0., 5., 0., 0.], &[0., 0., 0., 5., 1., 0., 0.5, 0.]);
        let far = window(&[0., 0., 0., 7., 0., 0., 0., 0.], &[0., 0., 0., 0., 1., 0., 8., 0.]);
        let fits = window(&[0., 0., 0., 0., 1., 0., 0., 0.], &[0., 0., 0., 0., 0., 1., 0., 0.]);
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 1, 2);
        pool.add_window(&reversed);
        assert_eq!((pool.candidates().len(), spans(&pool)[0]), (1, (0, 3)));
        assert_eq!(pool.candidates()[0].score(), 6.0);
        pool.add_window(&far);
        assert_eq!((pool.candidates().len(), spans(&pool)[0]), (1, (0, 7)));
        assert_eq!(pool.candidates()[0].score(), 8.0);
        // A pair of the n best comes before all that.
        pool.add_window(&fits);
        pool.add_window(&reversed);
        assert_eq!((pool.candidates().len(), spans(&pool)[0]), (1, (4, 9)));
    }

    #[test]
    fn no_capacity_no_tokens_and_nan_are_harmless() {
        let mut pool = SpanPool::new(&mut [], 20, 30);
        pool.add_window(&window(&[1.0; 8], &[1.0; 8]));
        assert!(pool.candidates().is_empty());
        let mut best = [Candidate::default(); 3];
        let mut pool = SpanPool::new(&mut best, 20, 30);
        pool.add_window(&window(&[f32::NAN; 8], &[f32::NAN; 8]));
        pool.add_window(&Window { start_logits: &[], end_logits: &[], passage: 0..0, offsets: &[] });
        assert!(pool.candidates().is_empty());
    }
}
