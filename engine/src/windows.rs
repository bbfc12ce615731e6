//! A passage cut into overlapping windows, as the tokenizers crate does with `stride`.

use core::ops::Range;

use crate::span::Window;
use crate::tokenizer::Token;

/// What the network reads at a time: `[CLS] question [SEP] passage tokens [SEP]`.
#[derive(Clone, Debug)]
pub struct Sequence<'b> {
    /// Word piece and segment of each token; at most as many as the buffer holds. For [`crate::Session::logits`].
    pub ids: &'b [[u32; 2]],
    /// Positions that hold tokens of the passage.
    pub passage: Range<usize>,
    /// Byte offsets in the passage, one pair for each of these positions.
    pub offsets: &'b [[u32; 2]],
}

impl<'b> Sequence<'b> {
    /// The sequence's logits, and where its tokens lie, for a [`crate::span::SpanPool`].
    pub fn window(&self, start_logits: &'b [f32], end_logits: &'b [f32]) -> Window<'b> {
        Window { start_logits, end_logits, passage: self.passage.clone(), offsets: self.offsets }
    }
}

/// Fills `ids` and `offsets` with one window after the other from a stream of tokens. Each window after the first
/// starts `capacity − overlap` tokens later; the last is the first that reaches the passage's end.
#[derive(Debug)]
pub(crate) struct Windows<'b, I: Iterator<Item = Token>> {
    tokens: core::iter::Peekable<I>,
    /// What stands before the passage in every window, room for its tokens, and for `sep` behind them.
    ids: &'b mut [[u32; 2]],
    offsets: &'b mut [[u32; 2]],
    /// Where the passage's tokens begin.
    first: usize,
    sep: u32,
    overlap: usize,
    len: usize,
    started: bool,
}

impl<'b, I: Iterator<Item = Token>> Windows<'b, I> {
    /// Windows of `ids.len() − first − 1` passage tokens (`offsets` has as many, or more) that share `overlap` tokens,
    /// fewer than that. The first `first` of the ids stay as they are.
    pub fn new(
        tokens: I,
        ids: &'b mut [[u32; 2]],
        offsets: &'b mut [[u32; 2]],
        first: usize,
        sep: u32,
        overlap: usize,
    ) -> Self {
        Self { tokens: tokens.peekable(), ids, offsets, first, sep, overlap, len: 0, started: false }
    }

    /// Whether the passage holds no token; to be asked before the first window.
    pub fn is_empty(&mut self) -> bool {
        self.tokens.peek().is_none()
    }

    /// The next window.
    pub fn next(&mut self) -> Option<Sequence<'_>> {
        if self.started && self.tokens.peek().is_none() {
            return None;
        }
        let (_, behind) = self.ids.split_at_mut_checked(self.first)?;
        let (_, slots) = behind.split_last_mut()?;
        if self.started {
            let from = self.len.saturating_sub(self.overlap);
            if let (Some(ids), Some(offsets)) = (slots.get_mut(..self.len), self.offsets.get_mut(..self.len))
            {
                ids.copy_within(from.., 0);
                offsets.copy_within(from.., 0);
            }
            self.len -= from;
        }
        self.started = true;
        // A token is taken only once a slot for it was found: `zip` asks its first iterator first.
        let free = slots.iter_mut().zip(self.offsets.iter_mut()).skip(self.len);
        for ((id, offset), token) in free.zip(&mut self.tokens) {
            (*id, *offset) = ([token.id, 1], [token.start, token.end]);
            self.len += 1;
        }
        let end = self.first + self.len;
        *self.ids.get_mut(end)? = [self.sep, 1];
        Some(Sequence {
            ids: self.ids.get(..end + 1)?,
            passage: self.first..end,
            offsets: self.offsets.get(..self.len)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn windows(tokens: u32, capacity: usize, overlap: usize) -> Vec<(u32, usize)> {
        let stream = (0..tokens).map(|id| Token { id, start: 2 * id, end: 2 * id + 1 });
        let (mut ids, mut offsets) = (std::vec![[0; 2]; 2 + capacity + 1], std::vec![[0; 2]; capacity + 3]);
        (ids[0], ids[1]) = ([700, 0], [701, 0]);
        let mut windows = Windows::new(stream, &mut ids, &mut offsets, 2, 900, overlap);
        let mut out = Vec::new();
        while let Some(Sequence { ids, passage, offsets }) = windows.next() {
            assert_eq!(
                (&ids[..2], ids[passage.end], ids.len()),
                (&[[700, 0], [701, 0]][..], [900, 1], passage.end + 1)
            );
            let ids = &ids[passage];
            assert!(ids.windows(2).all(|pair| pair[1][0] == pair[0][0] + 1));
            assert_eq!(ids.len(), offsets.len());
            assert!(
                ids.iter().zip(offsets).all(|([id, segment], offset)| offset[0] == 2 * id && *segment == 1)
            );
            out.push((ids.first().map_or(0, |[id, _]| *id), ids.len()));
        }
        out
    }

    #[test]
    fn windows_overlap_and_end_with_the_passage() {
        assert_eq!(windows(5, 8, 3), [(0, 5)]);
        assert_eq!(windows(8, 8, 3), [(0, 8)]);
        assert_eq!(windows(9, 8, 3), [(0, 8), (5, 4)]);
        assert_eq!(windows(18, 8, 3), [(0, 8), (5, 8), (10, 8)]);
        assert_eq!(windows(19, 8, 3), [(0, 8), (5, 8), (10, 8), (15, 4)]);
        assert_eq!(windows(10, 4, 0), [(0, 4), (4, 4), (8, 2)]);
        assert_eq!(windows(0, 4, 0), [(0, 0)]);
    }

    /// For every small shape: the slices that list indexes cut, the last being the first to reach the end.
    #[test]
    fn windows_are_those_of_the_definition() {
        for capacity in 1..10 {
            for overlap in 0..capacity {
                for tokens in 0..60u32 {
                    let (mut expected, mut from) = (Vec::new(), 0);
                    loop {
                        let end = (tokens as usize).min(from + capacity);
                        expected.push((from as u32, end - from));
                        if end == tokens as usize {
                            break;
                        }
                        from += capacity - overlap;
                    }
                    assert_eq!(windows(tokens, capacity, overlap), expected, "{tokens} {capacity} {overlap}");
                }
            }
        }
    }
}
