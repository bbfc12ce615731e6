use super::section::{Reader, Reason, U32s};

/// What marks a token that continues a word.
pub(super) const CONTINUATION_PREFIX: &str = "##";

/// The most special tokens that a vocabulary may name.
pub const MAX_SPECIAL_TOKENS: usize = 16;

/// The texts of the tokens, by id, and the ids that are looked for in raw text.
///
/// # Section
///
/// Little-endian, no padding between the parts:
///
/// | bytes | type | field |
/// |---|---|---|
/// | 0..4 | `u32` | `tokens`, the number of ids |
/// | 4..8 | `u32` | `text_bytes`, the length of all texts together |
/// | 8..12 | `u32` | `specials`, at most [`MAX_SPECIAL_TOKENS`] |
/// | 12..16 | `u32` | zero |
/// | then | `u32[tokens + 1]` | `offsets`: the text of token `i` is `texts[offsets[i]..offsets[i + 1]]` |
/// | then | `u32[specials]` | ids of the special tokens |
/// | then | `u8[text_bytes]` | `texts`, UTF-8, one after the other |
///
/// `offsets` starts at 0, never decreases, ends at `text_bytes` and never splits a character. An id without
/// a token has an empty text. A token that continues a word carries its `##`. A special token has a text that
/// is not empty; it is matched in the text as it stands, before any normalization.
#[derive(Clone, Copy)]
pub struct Vocabulary<'a> {
    texts: &'a str,
    offsets: U32s<'a>,
    specials: U32s<'a>,
}

impl<'a> Vocabulary<'a> {
    /// Checks a section and borrows it.
    ///
    /// # Errors
    ///
    /// What is wrong with the section, as the end of a sentence that starts with its name.
    pub fn parse(section: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(section);
        let (tokens, text_bytes, specials) = (reader.count()?, reader.count()?, reader.count()?);
        if reader.u32()? != 0 {
            return Err("has a reserved field that is not zero");
        }
        if specials > MAX_SPECIAL_TOKENS {
            return Err("has more than 16 special tokens");
        }
        let offsets = reader.u32s(tokens.checked_add(1).ok_or("has too many tokens")?)?;
        let specials = reader.u32s(specials)?;
        let texts = core::str::from_utf8(reader.bytes(text_bytes)?).map_err(|_| "is not UTF-8")?;
        reader.finish()?;
        check_offsets(offsets, texts)?;
        let vocabulary = Self { texts, offsets, specials };
        if specials.iter().any(|id| vocabulary.token(id).is_none()) {
            return Err("names a special token that has no text");
        }
        Ok(vocabulary)
    }

    /// The number of ids; an id is less than it.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no id at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a token, with its `##`; `None` for an id that has no token.
    pub fn token(&self, id: u32) -> Option<&'a str> {
        let id = usize::try_from(id).ok()?;
        let start = usize::try_from(self.offsets.get(id)?).ok()?;
        let end = usize::try_from(self.offsets.get(id.checked_add(1)?)?).ok()?;
        self.texts.get(start..end).filter(|text| !text.is_empty())
    }

    /// The special token that stands at the start of `text`; of several the longest. Its id and its bytes.
    pub(super) fn special_at(&self, text: &str) -> Option<(u32, usize)> {
        let mut longest: Option<(u32, usize)> = None;
        for id in self.specials.iter() {
            let Some(token) = self.token(id) else { continue };
            if text.as_bytes().starts_with(token.as_bytes())
                && longest.is_none_or(|(_, len)| len < token.len())
            {
                longest = Some((id, token.len()));
            }
        }
        longest
    }

    /// The bytes that a special token can start with, as a set of 256 bits.
    pub(super) fn special_first_bytes(&self) -> ByteSet {
        let mut set = ByteSet::default();
        for id in self.specials.iter() {
            if let Some(&first) = self.token(id).and_then(|token| token.as_bytes().first()) {
                set.insert(first);
            }
        }
        set
    }
}

fn check_offsets(offsets: U32s<'_>, texts: &str) -> Result<(), Reason> {
    let mut previous = 0;
    for (index, offset) in offsets.iter().enumerate() {
        if offset < previous || (index == 0 && offset != 0) {
            return Err("has text offsets out of order");
        }
        if !usize::try_from(offset).is_ok_and(|offset| texts.is_char_boundary(offset)) {
            return Err("has a text offset outside the texts or inside a character");
        }
        previous = offset;
    }
    if usize::try_from(previous).is_ok_and(|end| end == texts.len()) {
        Ok(())
    } else {
        Err("has texts that no offset reaches")
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| (word >> (byte & 63)) & 1 == 1)
    }
}
