//! From letters at places of a page to lines and paragraphs.

use hayro_font::kurbo::{Affine, Point, Vec2};

/// Where a letter behind a gap of so many of its heights begins a word. Letters that are moved together or apart are below;
/// the narrowest spaces of justified text are above.
const WORD: f64 = 0.15;

/// Where a letter so many heights away from the line is on another one: above an exponent.
const LINE: f64 = 0.5;

/// Where a line so many heights below the last one begins a paragraph.
const PARAGRAPH: f64 = 1.75;

/// A letter so many times as high as the one before begins a paragraph: behind a heading, or a heading itself.
const HEADING: f64 = 1.25;

/// The text of a page, to which letters are added in the order in which the page draws them.
#[derive(Default)]
pub struct Lines {
    text: String,
    last: Option<Letter>,
    /// White space has been drawn behind the text.
    space: bool,
}

/// Where a letter was drawn.
#[derive(Clone, Copy)]
struct Letter {
    end: Point,
    height: f64,
    /// The direction of the line, of length 1.
    along: Vec2,
}

impl Lines {
    /// Adds what a letter stands for. It begins at the origin of `place`, is 1 high and `width` wide there.
    pub fn add(&mut self, letters: &str, place: Affine, width: f64) {
        let start = place * Point::ORIGIN;
        let (end, top) = (place * Point::new(width, 0.0), place * Point::new(0.0, 1.0));
        let right = place * Point::new(1.0, 0.0) - start;
        let (height, length) = ((top - start).hypot(), right.hypot());
        if !(height.is_finite() && length.is_finite() && end.is_finite()) || height <= 0.0 || length <= 0.0 {
            return;
        }
        let letter = Letter { end, height, along: right / length };
        let gap = self.last.map_or(Gap::None, |last| last.gap(start, &letter));
        match gap {
            Gap::None => {}
            Gap::Word => self.space = true,
            Gap::Line => self.break_line(letters),
            Gap::Paragraph => self.break_paragraph(),
        }
        self.last = Some(letter);
        letters.chars().for_each(|c| self.push(c));
    }

    /// The text, without white space at its ends.
    pub fn into_text(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    /// How long the text is so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    fn push(&mut self, c: char) {
        let c = match c {
            // Ligatures, which no tokenizer knows.
            '\u{fb00}' => return ['f', 'f'].into_iter().for_each(|c| self.push(c)),
            '\u{fb01}' => return ['f', 'i'].into_iter().for_each(|c| self.push(c)),
            '\u{fb02}' => return ['f', 'l'].into_iter().for_each(|c| self.push(c)),
            '\u{fb03}' => return ['f', 'f', 'i'].into_iter().for_each(|c| self.push(c)),
            '\u{fb04}' => return ['f', 'f', 'l'].into_iter().for_each(|c| self.push(c)),
            '\u{fb05}' | '\u{fb06}' => return ['s', 't'].into_iter().for_each(|c| self.push(c)),
            // The bullet of fonts of symbols.
            '\u{f0b7}' => '•',
            // Letters that mean something in one font only.
            '\u{e000}'..='\u{f8ff}' | '\u{fffd}' | '\u{fffe}' | '\u{ffff}' => ' ',
            c => c,
        };
        if c.is_whitespace() {
            self.space = true;
        } else if !c.is_control() {
            if self.space && !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push(' ');
            }
            self.space = false;
            self.text.push(c);
        }
    }

    fn break_line(&mut self, next: &str) {
        self.space = false;
        if self.text.is_empty() || self.text.ends_with('\n') {
            return;
        }
        // A word that goes on in the next line: of the hyphens that might be part of one, most are not.
        let mut before = self.text.chars().rev();
        let hyphen = before.next().is_some_and(|c| matches!(c, '-' | '\u{ad}' | '\u{2010}'));
        let letter = before.next().is_some_and(char::is_lowercase);
        if hyphen && letter && next.starts_with(char::is_lowercase) {
            self.text.pop();
        } else {
            self.text.push('\n');
        }
    }

    fn break_paragraph(&mut self) {
        self.space = false;
        self.text.truncate(self.text.trim_end().len());
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
    }
}

/// What lies between two letters.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Gap {
    None,
    Word,
    Line,
    Paragraph,
}

impl Letter {
    /// Between this letter and the next one, which begins at `start`.
    fn gap(&self, start: Point, next: &Letter) -> Gap {
        let (low, high) = (self.height.min(next.height), self.height.max(next.height));
        let moved = start - self.end;
        let (ahead, aside) = (moved.dot(next.along), next.along.cross(moved));
        if self.along.dot(next.along) < 0.9 {
            return Gap::Paragraph;
        }
        // On the same line, and not back at its start: what was drawn twice to look bold stays.
        if aside.abs() <= LINE * high && ahead > -2.0 * high {
            return if ahead > WORD * low { Gap::Word } else { Gap::None };
        }
        // Letters of two sizes in a line are no headings, so only here.
        if aside.abs() > PARAGRAPH * high && aside < 0.0 || high > HEADING * low {
            Gap::Paragraph
        } else {
            // The next line, or the top of the next column.
            Gap::Line
        }
    }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::{FRAC_PI_2, PI};

    use hayro_font::kurbo::Affine;

    use super::Lines;

    /// Words of letters that are 10 high and half as wide, each from a place on.
    fn text(turn: f64, words: &[(&str, f64, f64)]) -> String {
        let mut lines = Lines::default();
        for (word, x, y) in words {
            for (number, letter) in (0u32..).zip(word.chars()) {
                let at = Affine::translate((x + 5.0 * f64::from(number), *y)) * Affine::scale(10.0);
                lines.add(&letter.to_string(), Affine::rotate(turn) * at, 0.5);
            }
        }
        lines.into_text()
    }

    #[test]
    fn places_make_words_lines_and_paragraphs() {
        let page = [
            ("The", 50.0, 700.0),
            ("mast", 68.0, 700.0),
            (".", 88.3, 700.0),
            ("2", 95.0, 704.0),
            ("It", 50.0, 688.0),
            ("End", 50.0, 660.0),
            ("Column", 300.0, 700.0),
        ];
        for turn in [0.0, FRAC_PI_2, -FRAC_PI_2, PI] {
            assert_eq!(text(turn, &page), "The mast. 2\nIt\n\nEnd\nColumn", "{turn}");
        }
    }

    #[test]
    fn a_word_that_was_cut_is_one_again() {
        assert_eq!(text(0.0, &[("light-", 0.0, 20.0), ("house", 0.0, 8.0)]), "lighthouse");
        assert_eq!(text(0.0, &[("Anglo-", 0.0, 20.0), ("Saxon", 0.0, 8.0)]), "Anglo-\nSaxon");
        assert_eq!(text(0.0, &[("1-", 0.0, 20.0), ("a", 0.0, 8.0)]), "1-\na");
    }

    #[test]
    fn ligatures_are_letters_and_what_has_no_meaning_is_space() {
        let word = "\u{fb01}re \u{fb03}x\u{f123}\u{f0b7}\u{0}\u{a0}y\u{fffd}";
        assert_eq!(text(0.0, &[(word, 0.0, 0.0)]), "fire ffix • y");
    }

    #[test]
    fn places_that_are_no_numbers_are_passed_over() {
        let mut lines = Lines::default();
        for place in [f64::NAN, f64::INFINITY, 0.0] {
            lines.add("x", Affine::scale(place), 1.0);
            lines.add("x", Affine::translate((place, 0.0)), f64::NAN);
        }
        assert_eq!(lines.into_text(), "");
    }
}
