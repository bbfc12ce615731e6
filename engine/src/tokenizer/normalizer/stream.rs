//! The text as the normalizer leaves it, character by character.

use super::reorder::Run;
use super::{ASCII_ISOLATE, ASCII_REMOVE, Action, Element, Elements, Kind, Normalizer};

/// A character of the normalized text.
#[derive(Clone, Copy)]
pub(in crate::tokenizer) struct Piece {
    pub kind: Kind,
    pub length: u8,
    pub utf8: [u8; 4],
    /// The byte of the segment where the character that it comes from starts.
    pub start: usize,
}

impl Piece {
    #[inline]
    pub(super) fn new(element: Element, start: usize) -> Self {
        Self { kind: element.kind, length: element.length, utf8: element.utf8, start }
    }
}

/// Normalizes a segment of text that holds no special token.
#[derive(Clone)]
pub(in crate::tokenizer) struct Normalized<'t, 'a> {
    segment: &'t str,
    /// The byte where the next character starts.
    next: usize,
    /// What is left of the character before it, which starts at `start`.
    elements: Elements<'a>,
    start: usize,
    /// Combining characters that must change places.
    run: Option<Run<'t, 'a>>,
}

impl<'t, 'a> Normalized<'t, 'a> {
    pub fn new(segment: &'t str) -> Self {
        Self { segment, next: 0, elements: Elements::NONE, start: 0, run: None }
    }

    #[inline]
    pub fn next(&mut self, normalizer: &Normalizer<'a>) -> Option<Piece> {
        loop {
            if let Some(piece) = self.rest_of_character(normalizer) {
                return Some(piece);
            }
            let start = self.next;
            let &byte = self.segment.as_bytes().get(start)?;
            if byte.is_ascii() {
                self.next = start.wrapping_add(1);
                let (kind, byte) = match normalizer.ascii(byte) {
                    ASCII_REMOVE => continue,
                    b' ' => (Kind::Space, b' '),
                    byte if byte & ASCII_ISOLATE != 0 => (Kind::Isolated, byte & !ASCII_ISOLATE),
                    byte => (Kind::Letter, byte),
                };
                return Some(Piece { kind, length: 1, utf8: [byte, 0, 0, 0], start });
            }
            let character = self.segment.get(start..)?.chars().next()?;
            self.next = start.wrapping_add(character.len_utf8());
            let kind = match normalizer.action(character) {
                Action::Keep => Kind::Letter,
                Action::Remove => continue,
                Action::Space => Kind::Space,
                Action::Isolate => Kind::Isolated,
                Action::Elements(elements) => {
                    (self.elements, self.start) = (elements, start);
                    continue;
                }
            };
            let mut utf8 = [0; 4];
            let length = character.encode_utf8(&mut utf8).len() as u8;
            return Some(Piece { kind, length, utf8, start });
        }
    }

    /// What is left of the last character, or of the run that it belongs to.
    #[inline]
    fn rest_of_character(&mut self, normalizer: &Normalizer<'a>) -> Option<Piece> {
        if let Some(run) = &mut self.run {
            if let Some(piece) = run.next(normalizer) {
                return Some(piece);
            }
            self.next = run.end();
            self.run = None;
        }
        while let Some(element) = self.elements.next() {
            // A combining character that is dropped leaves nothing, wherever it is moved.
            if element.is_dropped() {
                continue;
            }
            if element.class == 0 {
                return Some(Piece::new(element, self.start));
            }
            self.elements = Elements::NONE;
            let mut run = Run::around(normalizer, self.segment, self.start);
            let piece = run.next(normalizer);
            self.run = Some(run);
            return piece;
        }
        None
    }
}
