//! BERT's WordPiece tokenizer, as the reference implementation (the `tokenizers` crate) does it, to the id and
//! the byte: special tokens are taken out of the raw text, then [`Normalizer`] cleans, lower-cases and cuts the
//! rest to words, then [`WordPieceIndex`] splits each word into the longest tokens of the [`Vocabulary`].
//!
//! Nothing is allocated and nothing is unbounded: a word is kept up to 100 characters (a longer one is unknown
//! anyway), and combining characters are put in order without a buffer. The time is proportional to the text's
//! length, whatever the text.
//!
//! The three parts are sections of the packed file; each documents its bytes, and `parse` checks everything
//! that is relied on later.

mod index;
mod normalizer;
mod section;
#[cfg(test)]
mod tests;
mod tokens;
mod vocabulary;

pub use index::{
    EMPTY_SLOT, MAX_CHARS_PER_WORD, MAX_TOKENS, PieceHash, WordPieceIndex, piece_of, slot_value,
};
pub use normalizer::{
    ASCII_ISOLATE, ASCII_REMOVE, BLOCK, BLOCKS, HANGUL, ISOLATE, KEEP, Normalizer, POOL, REMOVE, SPACE, flags,
};
pub use tokens::Tokens;
pub use vocabulary::{MAX_SPECIAL_TOKENS, Vocabulary};

use crate::error::Error;
use crate::utf8::utf8;
use vocabulary::ByteSet;

/// A token of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// The byte of the text where it starts.
    pub start: u32,
    /// The byte of the text after its end.
    pub end: u32,
}

/// The tokens that have a part to play in the input of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpecialIds {
    /// Stands for a word that cannot be split into tokens: `[UNK]`.
    pub unk: u32,
    /// Begins an input: `[CLS]`.
    pub cls: u32,
    /// Ends a question and a passage: `[SEP]`.
    pub sep: u32,
    /// Fills an input up: `[PAD]`.
    pub pad: u32,
    /// Hides a word: `[MASK]`.
    pub mask: u32,
}

/// Splits texts into tokens.
#[derive(Clone, Copy)]
pub struct Tokenizer<'a> {
    vocabulary: Vocabulary<'a>,
    index: WordPieceIndex<'a>,
    normalizer: Normalizer<'a>,
    special: SpecialIds,
    special_first_bytes: ByteSet,
}

impl<'a> Tokenizer<'a> {
    /// Puts the parts together.
    ///
    /// # Errors
    ///
    /// Why the parts do not belong together, as a sentence.
    pub fn new(
        vocabulary: Vocabulary<'a>,
        index: WordPieceIndex<'a>,
        normalizer: Normalizer<'a>,
        special: SpecialIds,
    ) -> Result<Self, &'static str> {
        if usize::try_from(index.tokens()) != Ok(vocabulary.len()) {
            return Err("the WordPiece index was made for another vocabulary");
        }
        let SpecialIds { unk, cls, sep, pad, mask } = special;
        if [unk, cls, sep, pad, mask].into_iter().any(|id| vocabulary.token(id).is_none()) {
            return Err("a special token is not in the vocabulary");
        }
        let special_first_bytes = vocabulary.special_first_bytes();
        Ok(Self { vocabulary, index, normalizer, special, special_first_bytes })
    }

    /// The tokens of a text, without `[CLS]` and `[SEP]` around them. Offsets are bytes of `text`; what lies
    /// beyond 4 GiB is not read.
    ///
    /// A token covers the characters of the text from the first one that its first character came from to the
    /// last one that its last character came from: accents that were stripped after it are not part of it.
    pub fn tokens<'t>(&'t self, text: &'t str) -> Tokens<'t, 'a> {
        Tokens::new(self, text)
    }

    /// As [`tokens`](Self::tokens), for a text that may not be UTF-8.
    ///
    /// # Errors
    /// [`Error::InvalidUtf8`] with the first byte that does not belong to a character.
    pub fn tokens_of_bytes<'t>(&'t self, text: &'t [u8]) -> Result<Tokens<'t, 'a>, Error> {
        utf8(text, "text").map(|text| self.tokens(text))
    }

    /// The texts of the tokens.
    pub fn vocabulary(&self) -> &Vocabulary<'a> {
        &self.vocabulary
    }

    /// What text is made of before it is cut into tokens.
    pub fn normalizer(&self) -> &Normalizer<'a> {
        &self.normalizer
    }

    /// The special tokens.
    pub fn special(&self) -> SpecialIds {
        self.special
    }

    /// The id of a token by its text (`"[SEP]"`, `"answer"`, `"##ing"`).
    pub fn id(&self, token: &str) -> Option<u32> {
        self.index.id(&self.vocabulary, token)
    }

    /// The first special token of a text: the byte where it starts, its id and its bytes.
    fn find_special(&self, text: &str) -> Option<(usize, u32, usize)> {
        let bytes = text.as_bytes().iter().enumerate();
        bytes.filter(|(_, byte)| self.special_first_bytes.contains(**byte)).find_map(|(at, _)| {
            let (id, length) = self.vocabulary.special_at(text.get(at..)?)?;
            Some((at, id, length))
        })
    }

    #[inline]
    fn longest_match(&self, rest: &[u8], continuation: bool) -> Option<(u32, usize)> {
        self.index.longest_match(&self.vocabulary, rest, continuation)
    }

    #[inline]
    fn max_chars(&self) -> usize {
        self.index.max_chars_per_word()
    }
}
