//! Where in a file something stands.

use core::fmt;

/// The place of a question or of what holds it, as far as it is known; displayed as "article 0, paragraph 2, question 1".
/// All but lines count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The line, from 1, in a file with a JSON value on each.
    pub line: Option<usize>,
    /// The article in the list of articles.
    pub article: Option<usize>,
    /// The paragraph in its article, or in the file's list of paragraphs.
    pub paragraph: Option<usize>,
    /// The record in a list of records that hold one question each.
    pub record: Option<usize>,
    /// The question in its paragraph.
    pub question: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("line", self.line),
            ("article", self.article),
            ("paragraph", self.paragraph),
            ("record", self.record),
            ("question", self.question),
        ];
        let mut known = parts.into_iter().filter_map(|(name, index)| Some((name, index?)));
        let Some((name, index)) = known.next() else { return f.write_str("the file") };
        write!(f, "{name} {index}")?;
        known.try_for_each(|(name, index)| write!(f, ", {name} {index}"))
    }
}
