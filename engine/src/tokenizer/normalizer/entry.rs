//! What one character becomes: an entry of the pool, or the jamo of a Hangul syllable.

use super::{Normalizer, Reason};

/// What an element is to the words of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tokenizer) enum Kind {
    Letter,
    Isolated,
    Space,
}

/// One of the characters that a character of the text becomes, or the gap that it leaves.
#[derive(Clone, Copy)]
pub(in crate::tokenizer) struct Element {
    pub kind: Kind,
    /// Canonical combining class.
    pub class: u8,
    /// Bytes of `utf8`; 0 in a space and a dropped element.
    pub length: u8,
    pub utf8: [u8; 4],
}

impl Element {
    /// Whether only its combining class counts.
    pub fn is_dropped(&self) -> bool {
        self.length == 0 && self.kind != Kind::Space
    }

    /// A letter of three bytes, as every jamo is.
    fn letter(character: u32) -> Self {
        let tail = |shift: u32| 0x80 | ((character >> shift) & 0x3F) as u8;
        let head = 0xE0 | ((character >> 12) & 0xF) as u8;
        Self { kind: Kind::Letter, class: 0, length: 3, utf8: [head, tail(6), tail(0), 0] }
    }
}

/// What one character becomes, in the order of its canonical decomposition.
#[derive(Clone)]
pub(in crate::tokenizer) enum Elements<'a> {
    /// The rest of an entry.
    Entry(&'a [u8]),
    /// The jamo of a syllable that are still to come, last first; 0 for none.
    Jamo([u32; 3]),
}

const LENGTH: u8 = 0b111;
const KIND: u8 = 0b11 << 3;
const KIND_ISOLATED: u8 = 1 << 3;
const KIND_SPACE: u8 = 2 << 3;
const HAS_CLASS: u8 = 1 << 5;
const RESERVED: u8 = 1 << 6;
const MORE: u8 = 1 << 7;

impl<'a> Elements<'a> {
    pub const NONE: Self = Self::Entry(&[]);

    #[inline]
    pub fn at(pool: &'a [u8], start: usize) -> Self {
        Self::Entry(pool.get(start..).unwrap_or_default())
    }

    /// Unicode, section 3.12, "Hangul syllable decomposition".
    pub fn of_syllable(syllable: char) -> Self {
        let index = (syllable as u32).wrapping_sub(0xAC00);
        let (leading, vowel, trailing) = (index / 588, index % 588 / 28, index % 28);
        let trailing = if trailing == 0 { 0 } else { 0x11A7 + trailing };
        Self::Jamo([trailing, 0x1161 + vowel, 0x1100 + leading])
    }

    /// The combining class of the first element.
    pub fn first_class(&self) -> u8 {
        self.clone().next().map_or(0, |element| element.class)
    }
}

impl Iterator for Elements<'_> {
    type Item = Element;

    #[inline]
    fn next(&mut self) -> Option<Element> {
        match self {
            Self::Entry(entry) => {
                let (element, rest) = read(entry)?;
                *entry = rest;
                Some(element)
            }
            Self::Jamo([trailing, vowel, leading]) => {
                let next = [leading, vowel, trailing].into_iter().find(|jamo| **jamo != 0)?;
                Some(Element::letter(core::mem::take(next)))
            }
        }
    }
}

/// The first element of an entry and the entry's rest; `None` at its end.
#[inline]
fn read(entry: &[u8]) -> Option<(Element, &[u8])> {
    let (&head, mut rest) = entry.split_first()?;
    let mut class = 0;
    if head & HAS_CLASS != 0 {
        (class, rest) = rest.split_first().map(|(&class, rest)| (class, rest))?;
    }
    let length = head & LENGTH;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    let mut utf8 = [0; 4];
    for (to, from) in utf8.iter_mut().zip(text) {
        *to = *from;
    }
    let kind = match head & KIND {
        KIND_ISOLATED => Kind::Isolated,
        KIND_SPACE => Kind::Space,
        _ => Kind::Letter,
    };
    let rest = if head & MORE == 0 { &[] } else { rest };
    Some((Element { kind, class, length, utf8 }, rest))
}

/// Checks the entry that `pool` starts with.
pub(super) fn check(mut pool: &[u8]) -> Result<(), Reason> {
    for _ in 0..Normalizer::MAX_ELEMENTS {
        let &head = pool.first().ok_or("has an entry outside the pool")?;
        let (element, rest) = read(pool).ok_or("has an entry outside the pool")?;
        if head & RESERVED != 0 || head & KIND == KIND || (head & HAS_CLASS != 0 && element.class == 0) {
            return Err("has an entry with a malformed head");
        }
        let text = element.utf8.get(..usize::from(element.length)).ok_or("has an entry of over 4 bytes")?;
        let text = core::str::from_utf8(text).map_err(|_| "has an entry that is not UTF-8")?;
        if text.chars().nth(1).is_some() || (element.kind == Kind::Space && !text.is_empty()) {
            return Err("has an element that is not one character");
        }
        if head & MORE == 0 {
            return Ok(());
        }
        pool = rest;
    }
    Err("has an entry of more than 8 elements")
}
