//! Bytes of a text as characters and UTF-16 code units.

/// One place in a text, counted in three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes (UTF-8) before it.
    pub byte: usize,
    /// Characters (Unicode scalar values, as Python counts) before it.
    pub char: usize,
    /// UTF-16 code units (as JavaScript, Java and C# count) before it.
    pub utf16: usize,
}

/// Where these bytes of the text lie, in the order in which they are given. The text is read once, whatever their number.
/// A byte inside a character counts as the character's end, one behind the text as the text's end.
///
/// ```
/// let places = blockspan_reader::positions("𝒳 ist Größe", &[5, 13]);
/// assert_eq!((places[0].char, places[0].utf16), (2, 3));
/// assert_eq!((places[1].char, places[1].utf16), (9, 10));
/// ```
pub fn positions(text: &str, bytes: &[usize]) -> Vec<Position> {
    let mut order: Vec<usize> = (0..bytes.len()).collect();
    order.sort_unstable_by_key(|&index| bytes.get(index));
    let mut found = vec![Position::default(); bytes.len()];
    let mut at = Position::default();
    for index in order {
        let (Some(&byte), Some(slot)) = (bytes.get(index), found.get_mut(index)) else { continue };
        let mut to = byte.clamp(at.byte, text.len());
        while !text.is_char_boundary(to) {
            to += 1;
        }
        for &byte in text.as_bytes().get(at.byte..to).unwrap_or_default() {
            // Continuation bytes begin no character; those of four bytes take two code units.
            at.char += usize::from(byte & 0xc0 != 0x80);
            at.utf16 += usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0);
        }
        at.byte = to;
        *slot = at;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::positions;

    proptest! {
        #[test]
        fn positions_are_what_the_standard_library_counts(text in "(\\PC|[a-z𝒳ßé王\u{1F600}]){0,40}", reverse: bool) {
            let mut bytes: Vec<usize> = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
            if reverse {
                bytes.reverse();
            }
            for (&byte, place) in bytes.iter().zip(positions(&text, &bytes)) {
                let before = &text[..byte];
                prop_assert_eq!(
                    (place.byte, place.char, place.utf16),
                    (byte, before.chars().count(), before.encode_utf16().count())
                );
            }
        }
    }

    #[test]
    fn places_that_are_none_are_moved_to_the_next_that_is() {
        let places = positions("aß", &[2, 9, 0]);
        assert_eq!(places.iter().map(|place| place.byte).collect::<Vec<_>>(), [3, 3, 0]);
        assert!(positions("", &[]).is_empty());
    }
}
