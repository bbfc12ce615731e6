//! White space as Python 3 sees it, whose `str.split` the official scripts use.

/// Whether `str.isspace` holds for a character: Unicode's white space and the four separators U+001C to U+001F.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The words of a text, as `str.split()` gives them.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}
