//! Where sentences end.
//!
//! By rules that need no tables: an end mark, closing quotes or brackets, white space, and then no small letter; not behind an
//! initial or a common abbreviation. Blank lines, and lines that begin a list or a heading, end a sentence as well.

use core::ops::Range;

/// Abbreviations that a name or a number follows, in lower case.
const ABBREVIATIONS: &str = "\
    al approx art ca capt cf co col dr eg etc fig gen ie inc jr lt ltd mr mrs ms no pp prof sr st vol vs";

/// The first byte of each sentence but the first, in order.
pub fn borders(text: &str) -> impl Iterator<Item = usize> {
    let mut rest = text.char_indices().peekable();
    // What stands before the place at hand: where its last word begins, and whether an end mark follows that.
    let (mut word, mut ended) = (None, false);
    core::iter::from_fn(move || {
        while let Some((at, c)) = rest.next() {
            if c.is_whitespace() {
                let mut lines = usize::from(c == '\n');
                while let Some(&(_, next)) = rest.peek().filter(|(_, next)| next.is_whitespace()) {
                    lines += usize::from(next == '\n');
                    rest.next();
                }
                let begins = rest.peek().copied();
                let border = begins.filter(|&(next, first)| {
                    let behind = text.get(next..).unwrap_or_default();
                    lines > 1
                        || lines == 1 && begins_item(behind)
                        || ended && !first.is_lowercase() && !is_abbreviated(text, word, at)
                });
                word = None;
                ended = false;
                if let Some((next, _)) = border {
                    return Some(next);
                }
            } else if matches!(c, '.' | '!' | '?' | '…') {
                ended = true;
            } else if matches!(c, '。' | '！' | '？') {
                ended = false;
                word = None;
                // No space follows these.
                if let Some(&(next, _)) =
                    rest.peek().filter(|(_, next)| !next.is_whitespace() && !is_closing(*next))
                {
                    return Some(next);
                }
                ended = true;
            } else if !is_closing(c) {
                ended = false;
                word = word.or(Some(at));
            }
        }
        None
    })
}

/// The sentence, or sentences, that a range touches, without white space around them.
pub fn around(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (0, text.len());
    for border in borders(text) {
        if border <= range.start {
            start = border;
        } else if border >= range.end {
            end = border;
            break;
        }
    }
    let sentence = text.get(start..end).unwrap_or_default();
    let before = sentence.len() - sentence.trim_start().len();
    start + before..start + before + sentence.trim().len()
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '」' | '』' | '）')
}

/// Whether the text begins with what begins an item of a list, a row of a table or a heading.
fn begins_item(text: &str) -> bool {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text.get(digits..).unwrap_or_default();
    if digits > 0 {
        return digits <= 3 && (rest.starts_with(". ") || rest.starts_with(") "));
    }
    ["- ", "* ", "+ ", "• ", "|", "#", "> "].iter().any(|mark| text.starts_with(mark))
}

/// Whether the word that ends at `end` is an initial or an abbreviation, so that its full stop ends no sentence.
fn is_abbreviated(text: &str, word: Option<usize>, end: usize) -> bool {
    let Some(word) = word.and_then(|start| text.get(start..end)).and_then(|word| word.strip_suffix('.'))
    else {
        return false;
    };
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    let known = || {
        let plain: String = word.chars().filter(|&c| c != '.').flat_map(char::to_lowercase).collect();
        ABBREVIATIONS.split(' ').any(|other| other == plain)
    };
    initial || known()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{around, borders};

    fn sentences(text: &str) -> Vec<&str> {
        let starts: Vec<usize> = [0].into_iter().chain(borders(text)).chain([text.len()]).collect();
        starts.windows(2).map(|pair| text[pair[0]..pair[1]].trim_end()).collect()
    }

    #[test]
    fn sentences_end_at_marks_and_blank_lines() {
        for (text, expected) in [
            ("It was built in 1862. It stands.", ["It was built in 1862.", "It stands."].as_slice()),
            ("Why? \"Because!\" she said.", &["Why?", "\"Because!\" she said."]),
            (
                "He met Dr. Smith and J. F. Kennedy at St. Paul. They left.",
                &["He met Dr. Smith and J. F. Kennedy at St. Paul.", "They left."],
            ),
            ("e.g. London, i.e. the city", &["e.g. London, i.e. the city"]),
            ("It costs 3.50 a piece... and more.", &["It costs 3.50 a piece... and more."]),
            ("A title\n\nA text that\nis wrapped", &["A title", "A text that\nis wrapped"]),
            ("Parts:\n- a bolt\n- a nut\n12. last", &["Parts:", "- a bolt", "- a nut", "12. last"]),
            ("The war of\n1862 ended", &["The war of\n1862 ended"]),
            ("(It rose.) It fell.", &["(It rose.)", "It fell."]),
            ("東京は都市です。大きい。", &["東京は都市です。", "大きい。"]),
            ("", &[""]),
        ] {
            assert_eq!(sentences(text), expected, "{text}");
        }
    }

    #[test]
    fn the_sentence_around_a_place() {
        let text = "One. Two is longer. Three.\n\nFour.";
        let of = |needle: &str| {
            let start = text.find(needle).unwrap();
            &text[around(text, start..start + needle.len())]
        };
        assert_eq!(of("longer"), "Two is longer.");
        assert_eq!(of("longer. Three"), "Two is longer. Three.");
        assert_eq!((of("One"), of("Four.")), ("One.", "Four."));
        assert_eq!(around("", 0..0), 0..0);
    }

    proptest! {
        #[test]
        fn borders_ascend_and_are_places_of_the_text(text in "([a-zA-Z1.?!\"。 \n-]|\\PC){0,60}") {
            let found: Vec<usize> = borders(&text).collect();
            prop_assert!(found.is_sorted_by(|a, b| a < b));
            for at in found {
                prop_assert!(at > 0 && at < text.len() && text.is_char_boundary(at));
                prop_assert!(!text[at..].starts_with(char::is_whitespace));
            }
        }

        #[test]
        fn a_sentence_holds_what_it_is_around(text in "[a-zA-Z. \n]{1,60}", from: prop::sample::Index, to: prop::sample::Index) {
            let (a, b) = (from.index(text.len()), to.index(text.len()));
            let range = a.min(b)..a.max(b) + 1;
            let sentence = around(&text, range.clone());
            let inside = text[range.clone()].trim();
            prop_assert!(text[sentence].contains(inside));
        }
    }
}
