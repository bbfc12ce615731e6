//! BERT's normalizer as a table: what each character of the text becomes.

mod entry;
mod reorder;
mod stream;

use super::section::{Reader, Reason, U16s};
pub(super) use entry::{Element, Elements, Kind};
pub(super) use stream::{Normalized, Piece};

/// The character is a letter of a word, as it stands.
pub const KEEP: u16 = 0;
/// The character vanishes before anything else is looked at.
pub const REMOVE: u16 = 1;
/// The character separates words.
pub const SPACE: u16 = 2;
/// The character is a word of its own, as it stands.
pub const ISOLATE: u16 = 3;
/// The character is a Hangul syllable and becomes its two or three jamo.
pub const HANGUL: u16 = 4;
/// The first action that means an entry of the pool: the one at byte `action - POOL`.
pub const POOL: u16 = 8;

/// In the table of ASCII: the character vanishes.
pub const ASCII_REMOVE: u8 = 0xFF;
/// In the table of ASCII: set on a character that is a word of its own.
pub const ASCII_ISOLATE: u8 = 0x80;

/// Code points that share an entry of the first stage of the table.
pub const BLOCK: usize = 128;
/// Entries of the first stage: all of Unicode.
pub const BLOCKS: usize = 0x11_0000 / BLOCK;

/// What the normalizer was made for: see [`Normalizer::flags`].
pub mod flags {
    /// Control characters are removed and every kind of white space is a space.
    pub const CLEAN_TEXT: u32 = 1;
    /// Every Chinese character is a word of its own.
    pub const HANDLE_CHINESE_CHARS: u32 = 2;
    /// Canonical decomposition, then no nonspacing marks.
    pub const STRIP_ACCENTS: u32 = 4;
    /// Lower case.
    pub const LOWER_CASE: u32 = 8;
}

/// The normalizer and the pre-tokenizer of BERT: which characters are dropped, separate words, are words of
/// their own or change into others. Holds what the reference implementation did when the model was packed, so
/// that the answers depend on no Unicode table of the machine they are computed on.
///
/// # Section
///
/// Little-endian, no padding between the parts:
///
/// | bytes | type | field |
/// |---|---|---|
/// | 0..4 | `u32` | [`flags`] that the table was made for; they inform only |
/// | 4..8 | `u32` | `blocks` |
/// | 8..12 | `u32` | `pool_bytes` |
/// | 12..16 | `u32` | zero |
/// | 16..144 | `u8[128]` | what each ASCII character becomes |
/// | then | `u16[8704]` | `block[c >> 7]`, for each 128 code points |
/// | then | `u16[blocks · 128]` | `actions`: code point `c` has `actions[block[c >> 7] · 128 + (c & 127)]` |
/// | then | `u8[pool_bytes]` | entries |
///
/// An ASCII character becomes [`ASCII_REMOVE`] nothing, `0x20` the end of a word, [`ASCII_ISOLATE`]` | b` the
/// word `b`, else the letter `b`. It is a starter (below). The actions of the first block go unused.
///
/// An action is [`KEEP`], [`REMOVE`], [`SPACE`], [`ISOLATE`], [`HANGUL`] or [`POOL`]` + i`: the entry at
/// `pool[i..]`. An entry is one to [`MAX_ELEMENTS`](Self::MAX_ELEMENTS) elements, each a head byte, then its
/// combining class if the head says so, then its UTF-8:
///
/// | bits of the head | meaning |
/// |---|---|
/// | 0..=2 | bytes of UTF-8, 1 to 4 (one character), or 0: the element is dropped |
/// | 3..=4 | 0 a letter, 1 a word of its own, 2 a space (and no UTF-8) |
/// | 5 | a combining class follows, 1 to 255; else it is 0 |
/// | 6 | zero |
/// | 7 | another element follows |
///
/// # Order of combining characters
///
/// Elements of class 0 are *starters* and stay where they are; within a run of others, they are put in order
/// of class, equal classes in order of the text (canonical ordering). Dropped elements count in this: they
/// decide which character of the text a later element is said to come from. The first element of each
/// character is its *head*; the n-th head *after* ordering takes the place of the n-th character of the run,
/// and an element that is no head takes the place of the last one that was taken.
#[derive(Clone, Copy)]
pub struct Normalizer<'a> {
    flags: u32,
    ascii: &'a [u8; 128],
    block: U16s<'a>,
    actions: U16s<'a>,
    pool: &'a [u8],
}

/// What a code point becomes.
pub(super) enum Action<'a> {
    Keep,
    Remove,
    Space,
    Isolate,
    Elements(Elements<'a>),
}

impl<'a> Normalizer<'a> {
    /// The most elements that a character can become.
    pub const MAX_ELEMENTS: usize = 8;

    /// Checks a section and borrows it.
    ///
    /// # Errors
    ///
    /// What is wrong with the section, as the end of a sentence that starts with its name.
    pub fn parse(section: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(section);
        let flags = reader.u32()?;
        let (blocks, pool_bytes) = (reader.count()?, reader.count()?);
        if reader.u32()? != 0 {
            return Err("has a reserved field that is not zero");
        }
        let ascii = reader.bytes(128)?.first_chunk().ok_or("has no table of ASCII")?;
        let block = reader.u16s(BLOCKS)?;
        let actions = reader.u16s(blocks.checked_mul(BLOCK).ok_or("has too many blocks")?)?;
        let pool = reader.bytes(pool_bytes)?;
        reader.finish()?;
        if block.iter().any(|block| usize::from(block) >= blocks) {
            return Err("has a block number out of range");
        }
        for action in actions.iter() {
            check_action(action, pool)?;
        }
        Ok(Self { flags, ascii, block, actions, pool })
    }

    /// What the tables were made for, out of [`flags`].
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// What an ASCII character becomes.
    #[inline]
    pub(super) fn ascii(&self, byte: u8) -> u8 {
        self.ascii.get(usize::from(byte)).copied().unwrap_or(ASCII_REMOVE)
    }

    /// What a character that is not ASCII becomes.
    #[inline]
    pub(super) fn action(&self, character: char) -> Action<'a> {
        let code = character as usize;
        let action = self
            .block
            .get(code / BLOCK)
            .and_then(|block| self.actions.get(usize::from(block) * BLOCK + code % BLOCK))
            .unwrap_or(KEEP);
        match action {
            KEEP => Action::Keep,
            REMOVE => Action::Remove,
            SPACE => Action::Space,
            ISOLATE => Action::Isolate,
            HANGUL => Action::Elements(Elements::of_syllable(character)),
            _ => Action::Elements(Elements::at(self.pool, usize::from(action.saturating_sub(POOL)))),
        }
    }
}

/// Everything that [`Normalizer::action`] and [`Elements`] rely on.
fn check_action(action: u16, pool: &[u8]) -> Result<(), Reason> {
    let Some(start) = action.checked_sub(POOL) else {
        return if action <= HANGUL { Ok(()) } else { Err("has an unknown action") };
    };
    entry::check(pool.get(usize::from(start)..).unwrap_or_default())
}
