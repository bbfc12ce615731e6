//! From normalized characters to words, and from words to tokens.

use super::index::MAX_CHARS_PER_WORD;
use super::normalizer::{Kind, Normalized, Piece};
use super::{Token, Tokenizer};

/// The tokens of a text, in its order: see [`Tokenizer::tokens`].
#[derive(Clone)]
pub struct Tokens<'t, 'a> {
    tokenizer: &'t Tokenizer<'a>,
    text: &'t str,
    /// Where the segment that is being read starts; a segment ends at a special token or at the text's end.
    segment: usize,
    normalized: Normalized<'t, 'a>,
    /// The special token after the segment.
    special: Option<Token>,
    /// A character that ended the word before it and has not been read yet.
    held: Option<Piece>,
    word: Word,
    split: Split,
}

/// A word, normalized. Its bounds: at most 100 characters are kept, each at most 4 bytes.
#[derive(Clone)]
struct Word {
    utf8: [u8; 4 * MAX_CHARS_PER_WORD],
    bytes: usize,
    /// For each character the byte of the text where the character that it comes from starts.
    starts: [u32; MAX_CHARS_PER_WORD],
    chars: usize,
    /// `starts` of the last character, kept or not.
    last: u32,
    too_long: bool,
}

/// The tokens of a word: the id of each and the number of characters up to its end.
#[derive(Clone)]
struct Split {
    ids: [u32; MAX_CHARS_PER_WORD],
    ends: [u8; MAX_CHARS_PER_WORD],
    tokens: usize,
    given: usize,
}

impl<'t, 'a> Tokens<'t, 'a> {
    pub(super) fn new(tokenizer: &'t Tokenizer<'a>, text: &'t str) -> Self {
        // Offsets are 32 bits wide.
        let text = text.get(..text.floor_char_boundary(u32::MAX as usize)).unwrap_or_default();
        let mut tokens = Self {
            tokenizer,
            text,
            segment: 0,
            normalized: Normalized::new(""),
            special: None,
            held: None,
            word: Word {
                utf8: [0; 4 * MAX_CHARS_PER_WORD],
                bytes: 0,
                starts: [0; MAX_CHARS_PER_WORD],
                chars: 0,
                last: 0,
                too_long: false,
            },
            split: Split { ids: [0; MAX_CHARS_PER_WORD], ends: [0; MAX_CHARS_PER_WORD], tokens: 0, given: 0 },
        };
        tokens.enter_segment(0);
        tokens
    }

    /// Goes on at byte `start`, up to the next special token.
    fn enter_segment(&mut self, start: usize) {
        let rest = self.text.get(start..).unwrap_or_default();
        let found = self.tokenizer.find_special(rest);
        let length = found.map_or(rest.len(), |(at, _, _)| at);
        self.segment = start;
        self.normalized = Normalized::new(rest.get(..length).unwrap_or_default());
        self.special = found.map(|(at, id, bytes)| {
            let start = start.saturating_add(at);
            Token { id, start: start as u32, end: start.saturating_add(bytes) as u32 }
        });
    }

    /// Reads the next word of the segment; `false` at its end.
    #[inline]
    fn read_word(&mut self) -> bool {
        let word = &mut self.word;
        (word.bytes, word.chars, word.too_long) = (0, 0, false);
        let mut empty = true;
        loop {
            let piece = match self.held.take() {
                Some(piece) => piece,
                None => match self.normalized.next(&self.tokenizer.normalizer) {
                    Some(piece) => piece,
                    None => return !empty,
                },
            };
            match piece.kind {
                Kind::Letter => {}
                Kind::Space if empty => continue,
                Kind::Space => return true,
                Kind::Isolated if empty => {}
                Kind::Isolated => {
                    self.held = Some(piece);
                    return true;
                }
            }
            empty = false;
            word.push(&piece, self.segment.wrapping_add(piece.start) as u32, self.tokenizer.max_chars());
            if piece.kind == Kind::Isolated {
                return true;
            }
        }
    }

    /// Splits the word into the longest tokens from its start; one unknown token if that fails anywhere.
    #[inline]
    fn split_word(&mut self) {
        let (word, split) = (&self.word, &mut self.split);
        (split.tokens, split.given) = (0, 0);
        let mut rest = word.utf8.get(..word.bytes).unwrap_or_default();
        let mut chars: u8 = 0;
        while !rest.is_empty() && !word.too_long {
            let Some((id, bytes)) = self.tokenizer.longest_match(rest, chars != 0) else { break };
            let Some((piece, after)) = rest.split_at_checked(bytes) else { break };
            rest = after;
            chars = piece.iter().fold(chars, |n, byte| n.wrapping_add(u8::from(byte & 0xC0 != 0x80)));
            split.push(id, chars);
        }
        if !rest.is_empty() {
            split.tokens = 0;
            split.push(self.tokenizer.special.unk, word.chars as u8);
        }
    }

    /// The next token of the word that has been split.
    #[inline]
    fn next_of_word(&mut self) -> Option<Token> {
        let split = &mut self.split;
        if split.given >= split.tokens {
            return None;
        }
        let (&id, &end) = (split.ids.get(split.given)?, split.ends.get(split.given)?);
        let first =
            split.given.checked_sub(1).and_then(|before| split.ends.get(before)).copied().unwrap_or(0);
        split.given = split.given.wrapping_add(1);
        let start = *self.word.starts.get(usize::from(first))?;
        let last = if self.word.too_long {
            self.word.last
        } else {
            *self.word.starts.get(usize::from(end).wrapping_sub(1))?
        };
        let last_bytes = self.text.as_bytes().get(last as usize).map_or(0, |&byte| utf8_length(byte));
        Some(Token { id, start, end: last.saturating_add(last_bytes) })
    }
}

impl Iterator for Tokens<'_, '_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            if let Some(token) = self.next_of_word() {
                return Some(token);
            }
            if self.read_word() {
                self.split_word();
                continue;
            }
            let special = self.special.take()?;
            self.enter_segment(special.end as usize);
            return Some(special);
        }
    }
}

impl core::iter::FusedIterator for Tokens<'_, '_> {}

impl Word {
    #[inline]
    fn push(&mut self, piece: &Piece, start: u32, max_chars: usize) {
        self.last = start;
        if self.chars >= max_chars {
            self.too_long = true;
            return;
        }
        if let Some(to) = self.starts.get_mut(self.chars) {
            *to = start;
        }
        let to = self.utf8.iter_mut().skip(self.bytes).zip(piece.utf8.iter().take(usize::from(piece.length)));
        for (to, from) in to {
            *to = *from;
        }
        self.chars = self.chars.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(usize::from(piece.length));
    }
}

impl Split {
    #[inline]
    fn push(&mut self, id: u32, chars: u8) {
        if let (Some(to_id), Some(to_end)) = (self.ids.get_mut(self.tokens), self.ends.get_mut(self.tokens)) {
            (*to_id, *to_end) = (id, chars);
            self.tokens = self.tokens.wrapping_add(1);
        }
    }
}

/// The length of a character by its first byte.
fn utf8_length(first: u8) -> u32 {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}
