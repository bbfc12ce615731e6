//! Canonical ordering of combining characters, without a buffer.
//!
//! Nearly all combining characters are dropped, and it does not matter where they stood. For the few that stay,
//! a run is read once for each combining class that occurs in it (Unicode has 55), so that its length is not
//! bounded and the time stays proportional to it.

use core::str::CharIndices;

use super::{Action, Elements, Normalizer, Piece};

/// The combining characters between two starters, in canonical order.
#[derive(Clone)]
pub(super) struct Run<'t, 'a> {
    /// Where the run begins in the segment: at the last starter before it, if there is one.
    start: usize,
    text: &'t str,
    /// The class that is being read, the rest of the run, and the rest of the character last read.
    class: u8,
    characters: CharIndices<'t>,
    elements: Elements<'a>,
    at_head: bool,
    /// The lowest class above it that was met; 0 for none.
    next_class: u8,
    /// The characters whose places are still to be taken, and the start of the last one that was.
    places: CharIndices<'t>,
    place: usize,
}

/// What a character is to a run.
enum Source<'a> {
    Removed,
    /// Of class 0 and nothing else.
    Starter,
    Elements(Elements<'a>),
}

impl<'a> Source<'a> {
    fn of(normalizer: &Normalizer<'a>, character: char) -> Self {
        if character.is_ascii() {
            return if normalizer.ascii(character as u8) == super::ASCII_REMOVE {
                Self::Removed
            } else {
                Self::Starter
            };
        }
        match normalizer.action(character) {
            Action::Remove => Self::Removed,
            Action::Keep | Action::Space | Action::Isolate => Self::Starter,
            Action::Elements(elements) => Self::Elements(elements),
        }
    }

    fn starts_a_run(&self) -> bool {
        match self {
            Self::Removed => false,
            Self::Starter => true,
            Self::Elements(elements) => elements.first_class() == 0,
        }
    }
}

impl<'t, 'a> Run<'t, 'a> {
    /// The run that the character at `inside` belongs to.
    pub fn around(normalizer: &Normalizer<'a>, segment: &'t str, inside: usize) -> Self {
        let starts_a_run = |&(_, character): &(usize, char)| Source::of(normalizer, character).starts_a_run();
        let after = segment.get(inside..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let after = inside.saturating_add(after);
        let before = segment.get(..after).unwrap_or_default();
        let start = before.char_indices().rev().find(starts_a_run).map_or(0, |(at, _)| at);
        let rest = segment.get(after..).unwrap_or_default();
        let end =
            rest.char_indices().find(starts_a_run).map_or(segment.len(), |(at, _)| after.saturating_add(at));
        let text = segment.get(start..end).unwrap_or_default();
        Self {
            start,
            text,
            class: 0,
            characters: text.char_indices(),
            elements: Elements::NONE,
            at_head: false,
            next_class: 0,
            places: text.char_indices(),
            place: start,
        }
    }

    /// The byte of the segment where the run ends.
    pub fn end(&self) -> usize {
        self.start.saturating_add(self.text.len())
    }

    /// The next character that stays. The run's starter has been seen before: it only takes its place.
    pub fn next(&mut self, normalizer: &Normalizer<'a>) -> Option<Piece> {
        loop {
            while let Some(element) = self.elements.next() {
                let at_head = core::mem::take(&mut self.at_head);
                if element.class == self.class {
                    if at_head {
                        self.take_place(normalizer);
                    }
                    if element.class != 0 && !element.is_dropped() {
                        return Some(Piece::new(element, self.place));
                    }
                } else if element.class > self.class
                    && (self.next_class == 0 || element.class < self.next_class)
                {
                    self.next_class = element.class;
                }
            }
            match self.characters.next().map(|(_, character)| Source::of(normalizer, character)) {
                Some(Source::Removed) => {}
                Some(Source::Starter) if self.class == 0 => self.take_place(normalizer),
                Some(Source::Starter) => {}
                Some(Source::Elements(elements)) => (self.elements, self.at_head) = (elements, true),
                None if self.next_class == 0 => return None,
                None => {
                    self.class = core::mem::take(&mut self.next_class);
                    self.characters = self.text.char_indices();
                }
            }
        }
    }

    fn take_place(&mut self, normalizer: &Normalizer<'a>) {
        let is_there =
            |&(_, character): &(usize, char)| !matches!(Source::of(normalizer, character), Source::Removed);
        if let Some((at, _)) = self.places.find(is_there) {
            self.place = self.start.saturating_add(at);
        }
    }
}
