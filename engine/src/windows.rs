//! A passage cut into overlapping windows, as the tokenizers crate does with `stride`.

use crate::tokenizer::Token;

/// Fills `ids` and `offsets` with one window after the other from a stream of tokens. Each window after the first
/// starts `capacity − overlap` tokens later; the last is the first that reaches the passage's end.
#[derive(Debug)]
pub(crate) struct Windows<'b, I: Iterator<Item = Token>> {
    tokens: core::iter::Peekable<I>,
    ids: &'b mut [u32],
    offsets: &'b mut [[u32; 2]],
    overlap: usize,
    len: usize,
    started: bool,
}

impl<'b, I: Iterator<Item = Token>> Windows<'b, I> {
    /// Windows of `ids.len()` tokens (`offsets` is as long) that share `overlap` tokens, fewer than that length.
    pub fn new(tokens: I, ids: &'b mut [u32], offsets: &'b mut [[u32; 2]], overlap: usize) -> Self {
        Self { tokens: tokens.peekable(), ids, offsets, overlap, len: 0, started: false }
    }

    /// The next window: word pieces and byte offsets of its passage tokens.
    pub fn next(&mut self) -> Option<(&[u32], &[[u32; 2]])> {
        if self.started && self.tokens.peek().is_none() {
            return None;
        }
        if self.started {
            let from = self.len.saturating_sub(self.overlap);
            if let (Some(ids), Some(offsets)) =
                (self.ids.get_mut(..self.len), self.offsets.get_mut(..self.len))
            {
                ids.copy_within(from.., 0);
                offsets.copy_within(from.., 0);
            }
            self.len -= from;
        }
        self.started = true;
        // A token is taken only once a slot for it was found: `zip` asks its first iterator first.
        let free = self.ids.iter_mut().zip(self.offsets.iter_mut()).skip(self.len);
        for ((id, offset), token) in free.zip(&mut self.tokens) {
            (*id, *offset) = (token.id, [token.start, token.end]);
            self.len += 1;
        }
        Some((self.ids.get(..self.len)?, self.offsets.get(..self.len)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn windows(tokens: u32, capacity: usize, overlap: usize) -> Vec<(u32, usize)> {
        let stream = (0..tokens).map(|id| Token { id, start: 2 * id, end: 2 * id + 1 });
        let (mut ids, mut offsets) = (std::vec![0; capacity], std::vec![[0; 2]; capacity]);
        let mut windows = Windows::new(stream, &mut ids, &mut offsets, overlap);
        let mut out = Vec::new();
        while let Some((ids, offsets)) = windows.next() {
            assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!(ids.iter().zip(offsets).all(|(id, offset)| offset[0] == 2 * id));
            out.push((ids.first().copied().unwrap_or(0), ids.len()));
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
