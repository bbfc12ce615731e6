use super::section::{Reader, U16s, U32s};
use super::vocabulary::{CONTINUATION_PREFIX, Vocabulary};

/// The longest word, in characters, that WordPiece may be told to split.
pub const MAX_CHARS_PER_WORD: usize = 100;

/// The most tokens that a vocabulary may have: an id takes 20 bits of a slot.
pub const MAX_TOKENS: u32 = (1 << ID_BITS) - 1;

/// A slot that holds no token.
pub const EMPTY_SLOT: u32 = u32::MAX;

const ID_BITS: u32 = 20;

/// Finds the longest token that a word starts or goes on with: a perfect hash over the vocabulary, so that a
/// look-up reads one seed and one slot whatever the text is.
///
/// # Section
///
/// Little-endian, no padding between the parts:
///
/// | bytes | type | field |
/// |---|---|---|
/// | 0..4 | `u32` | `tokens`: ids in the vocabulary, at most [`MAX_TOKENS`] |
/// | 4..8 | `u32` | `slots` |
/// | 8..12 | `u32` | `buckets` |
/// | 12..14 | `u16` | `max_chars_per_word`: a longer word is unknown; 1 to [`MAX_CHARS_PER_WORD`] |
/// | 14..16 | `u16` | `max_piece_bytes`: the longest token without its `##` |
/// | then | `u32[slots]` | 12 bits of fingerprint above 20 bits of id, or [`EMPTY_SLOT`] |
/// | then | `u16[buckets]` | a seed for each bucket |
///
/// The hash of a piece (a token without its `##`) is [`PieceHash`]; it says which bucket, and with the
/// bucket's seed which slot and fingerprint. A piece is in the vocabulary if its slot holds its fingerprint and
/// the text of the slot's id is the piece. A token is a continuation if its text starts with `##` and goes on.
#[derive(Clone, Copy)]
pub struct WordPieceIndex<'a> {
    tokens: u32,
    max_chars_per_word: u16,
    max_piece_bytes: u16,
    slots: U32s<'a>,
    seeds: U16s<'a>,
}

impl<'a> WordPieceIndex<'a> {
    /// Checks a section and borrows it.
    ///
    /// # Errors
    ///
    /// What is wrong with the section, as the end of a sentence that starts with its name.
    pub fn parse(section: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(section);
        let tokens = reader.u32()?;
        let (slots, buckets) = (reader.count()?, reader.count()?);
        let (max_chars_per_word, max_piece_bytes) = (reader.u16()?, reader.u16()?);
        if tokens > MAX_TOKENS {
            return Err("has too many tokens");
        }
        if !(1..=MAX_CHARS_PER_WORD).contains(&usize::from(max_chars_per_word)) {
            return Err("limits words to none or to more than 100 characters");
        }
        let (slots, seeds) = (reader.u32s(slots)?, reader.u16s(buckets)?);
        reader.finish()?;
        if slots.iter().any(|slot| slot != EMPTY_SLOT && id_of(slot) >= tokens) {
            return Err("has an id outside the vocabulary");
        }
        Ok(Self { tokens, max_chars_per_word, max_piece_bytes, slots, seeds })
    }

    /// The number of ids of the vocabulary that it was made for.
    pub(super) fn tokens(&self) -> u32 {
        self.tokens
    }

    /// A word of more characters is unknown.
    pub(super) fn max_chars_per_word(&self) -> usize {
        usize::from(self.max_chars_per_word)
    }

    /// The longest token that `rest` starts with: its id and how many bytes of `rest` it covers.
    #[inline]
    pub(super) fn longest_match(
        &self,
        vocabulary: &Vocabulary<'_>,
        rest: &[u8],
        continuation: bool,
    ) -> Option<(u32, usize)> {
        let mut length = rest.len().min(usize::from(self.max_piece_bytes));
        while rest.get(length).is_some_and(|&byte| !starts_character(byte)) {
            length = length.checked_sub(1)?;
        }
        let mut candidate = rest.get(..length)?;
        let mut hash = PieceHash::of(candidate, continuation);
        while !candidate.is_empty() {
            if let Some(id) = self.find(hash)
                && is_piece(vocabulary, id, candidate, continuation)
            {
                return Some((id, candidate.len()));
            }
            while let [shorter @ .., last] = candidate {
                candidate = shorter;
                hash.remove(*last);
                if starts_character(*last) {
                    break;
                }
            }
        }
        None
    }

    /// The id of a token by its text, `##` included.
    pub(super) fn id(&self, vocabulary: &Vocabulary<'_>, token: &str) -> Option<u32> {
        let (piece, continuation) = piece_of(token);
        self.find(PieceHash::of(piece, continuation))
            .filter(|&id| vocabulary.token(id).is_some_and(|text| text == token))
    }

    /// The only id that a piece with this hash can have.
    #[inline]
    fn find(&self, hash: PieceHash) -> Option<u32> {
        let seed = self.seeds.get(hash.bucket(self.seeds.len()))?;
        let (slot, fingerprint) = hash.slot(seed, self.slots.len());
        self.slots.get(slot).filter(|&slot| slot >> ID_BITS == fingerprint && slot != EMPTY_SLOT).map(id_of)
    }
}

/// Splits a token's text into what it covers of a word and whether it continues one.
pub fn piece_of(token: &str) -> (&[u8], bool) {
    match token.strip_prefix(CONTINUATION_PREFIX) {
        Some(piece) if !piece.is_empty() => (piece.as_bytes(), true),
        _ => (token.as_bytes(), false),
    }
}

fn is_piece(vocabulary: &Vocabulary<'_>, id: u32, piece: &[u8], continuation: bool) -> bool {
    let Some(text) = vocabulary.token(id) else { return false };
    let text = text.as_bytes();
    if continuation {
        text.strip_prefix(CONTINUATION_PREFIX.as_bytes()) == Some(piece)
    } else {
        text == piece
    }
}

fn id_of(slot: u32) -> u32 {
    slot & MAX_TOKENS
}

fn starts_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// The hash of a piece, which can grow and shrink at its end.
///
/// All arithmetic is modulo 2⁶⁴. The state starts at 1 for the start of a word and 2 for a continuation; a byte
/// `b` makes it `state · K + b` with `K = 0x9E3779B97F4A7C15`. What is looked up is the state's mix
/// `m = fmix64(state)` (the last steps of MurmurHash3):
///
/// - bucket: `(m >> 32) · buckets >> 32`;
/// - with that bucket's seed: `t = m + seed · K`, `y = (t ^ t >> 32) · 0xD6E8FEB86659FD93`;
/// - slot: `(y >> 32) · slots >> 32`, fingerprint: the low 12 bits of `y`.
#[derive(Clone, Copy)]
pub struct PieceHash(u64);

impl PieceHash {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    /// The inverse of `K` modulo 2⁶⁴, by Newton's iteration: every step doubles the bits that are right.
    const K_INVERSE: u64 = {
        let mut inverse = Self::K;
        let mut step = 0;
        while step < 5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(Self::K.wrapping_mul(inverse)));
            step += 1;
        }
        inverse
    };

    /// The hash of a piece's bytes.
    #[inline]
    pub fn of(piece: &[u8], continuation: bool) -> Self {
        let start = if continuation { 2 } else { 1 };
        Self(
            piece
                .iter()
                .fold(start, |state: u64, &byte| state.wrapping_mul(Self::K).wrapping_add(u64::from(byte))),
        )
    }

    /// Takes the last byte away.
    #[inline]
    fn remove(&mut self, last: u8) {
        self.0 = self.0.wrapping_sub(u64::from(last)).wrapping_mul(Self::K_INVERSE);
    }

    #[inline]
    fn mix(self) -> u64 {
        let mut m = self.0;
        m = (m ^ (m >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        m = (m ^ (m >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        m ^ (m >> 33)
    }

    /// Which of `buckets` it belongs to.
    #[inline]
    pub fn bucket(self, buckets: usize) -> usize {
        scale(self.mix(), buckets)
    }

    /// Which of `slots` it belongs to under its bucket's seed, and its fingerprint there.
    #[inline]
    pub fn slot(self, seed: u16, slots: usize) -> (usize, u32) {
        let t = self.mix().wrapping_add(u64::from(seed).wrapping_mul(Self::K));
        let y = (t ^ (t >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (scale(y, slots), (y & 0xFFF) as u32)
    }
}

/// The upper half of `hash` as a fraction of `count`.
#[inline]
fn scale(hash: u64, count: usize) -> usize {
    ((hash >> 32).wrapping_mul(count as u64) >> 32) as usize
}

/// The contents of a slot: what [`PieceHash::slot`] gave as the fingerprint, and the id (at most
/// [`MAX_TOKENS`] − 1).
pub fn slot_value(fingerprint: u32, id: u32) -> u32 {
    (fingerprint << ID_BITS) | id
}
