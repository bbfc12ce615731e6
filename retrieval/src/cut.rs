//! Cuts a text into passages of some 100 to 200 words, at the borders of paragraphs and sentences.

use core::ops::Range;

use crate::builder::Layout;
use crate::sentences;

/// A passage with so many words is long enough: the next paragraph begins another.
const ENOUGH: usize = 100;
/// Words of a passage, at most; a longer paragraph is cut.
const MOST: usize = 200;

/// A passage and the heading that it stands under, both as places in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub range: Range<usize>,
    pub heading: Range<usize>,
}

/// The passages of a text. Together they hold all of it but white space.
pub(crate) fn passages(text: &str, layout: Layout) -> Vec<Cut> {
    let mut cutter = Cutter { text, cuts: Vec::new(), open: 0..0, words: 0, heading: 0..0 };
    for paragraph in paragraphs(text, layout) {
        cutter.paragraph(paragraph, layout);
    }
    cutter.close();
    cutter.cuts
}

struct Cutter<'a> {
    text: &'a str,
    cuts: Vec<Cut>,
    /// The passage at hand.
    open: Range<usize>,
    words: usize,
    heading: Range<usize>,
}

impl Cutter<'_> {
    fn paragraph(&mut self, paragraph: Range<usize>, layout: Layout) {
        let text = self.text.get(paragraph.clone()).unwrap_or_default();
        let words = count(text);
        let is_heading = layout == Layout::Markdown && begins_heading(text);
        if is_heading || self.words >= ENOUGH || self.words + words > MOST {
            self.close();
        }
        if is_heading {
            self.heading = paragraph.start..paragraph.start + text.lines().next().unwrap_or_default().len();
        }
        if words <= MOST {
            self.add(paragraph, words);
            return;
        }
        for sentence in pieces(text) {
            let range = paragraph.start + sentence.start..paragraph.start + sentence.end;
            let words = count(text.get(sentence).unwrap_or_default());
            if self.words + words > MOST {
                self.close();
            }
            self.add(range, words);
        }
        self.close();
    }

    fn add(&mut self, range: Range<usize>, words: usize) {
        self.open = if self.words == 0 { range } else { self.open.start..range.end };
        self.words += words;
    }

    fn close(&mut self) {
        if self.words > 0 {
            let range = core::mem::take(&mut self.open);
            self.cuts.push(Cut { range, heading: self.heading.clone() });
            self.words = 0;
        }
    }
}

/// Words as white space divides them, and of what is written without, one for each few characters.
fn count(text: &str) -> usize {
    text.split_whitespace().map(|word| 1 + word.len() / 32).sum()
}

/// Parts between blank lines, form feeds or, of pages, lines; without white space around them, none of them empty.
fn paragraphs(text: &str, layout: Layout) -> impl Iterator<Item = Range<usize>> {
    let mut lines = text.split_inclusive(['\n', '\u{c}']);
    let mut at = 0;
    core::iter::from_fn(move || {
        let (start, mut end) = (at, at);
        for line in lines.by_ref() {
            at += line.len();
            let blank = line.trim().is_empty();
            if !blank {
                end = at;
            }
            let heading = layout == Layout::Markdown && begins_heading(text.get(at..).unwrap_or_default());
            if end > start && (blank || line.ends_with('\u{c}') || layout == Layout::Lines || heading) {
                break;
            }
        }
        let paragraph = text.get(start..end).unwrap_or_default();
        let before = paragraph.len() - paragraph.trim_start().len();
        let trimmed = paragraph.trim().len();
        (trimmed > 0).then_some(start + before..start + before + trimmed)
    })
}

/// Whether a Markdown text begins with a heading.
fn begins_heading(text: &str) -> bool {
    let level = text.len() - text.trim_start_matches('#').len();
    (1..=6).contains(&level) && text.get(level..).is_some_and(|rest| rest.starts_with([' ', '\t']))
}

/// The sentences of a paragraph that is too long; one of those that is too long itself, in parts.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let borders = sentences::borders(text).chain([text.len()]);
    let (mut start, mut found) = (0, Vec::new());
    for border in borders {
        let mut rest = start..border;
        while count(text.get(rest.clone()).unwrap_or_default()) > MOST {
            let Some(at) = longest(text, &rest) else { break };
            found.push(rest.start..at);
            rest.start = at;
        }
        found.push(rest);
        start = border;
    }
    found.iter().filter_map(|piece| trimmed(text, piece)).collect()
}

fn trimmed(text: &str, range: &Range<usize>) -> Option<Range<usize>> {
    let part = text.get(range.clone())?;
    let before = part.len() - part.trim_start().len();
    let len = part.trim().len();
    (len > 0).then_some(range.start + before..range.start + before + len)
}

/// Where to cut a sentence that is too long: behind the last word that fits, or inside of a word that is itself too long.
fn longest(text: &str, range: &Range<usize>) -> Option<usize> {
    let part = text.get(range.clone())?;
    let (mut words, mut cut) = (0, 0);
    for piece in part.split_inclusive(char::is_whitespace) {
        words += count(piece);
        if words > MOST {
            break;
        }
        cut += piece.len();
    }
    if cut == 0 {
        cut = part.floor_char_boundary(32 * (MOST - 1));
    }
    (cut > 0 && cut < part.len()).then_some(range.start + cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ENOUGH, MOST, count, passages};
    use crate::builder::Layout;

    fn cut(text: &str, layout: Layout) -> Vec<&str> {
        passages(text, layout).into_iter().map(|cut| &text[cut.range]).collect()
    }

    fn words(number: usize) -> String {
        vec!["word"; number].join(" ")
    }

    #[test]
    fn short_paragraphs_are_put_together_and_long_ones_cut_between_sentences() {
        let (short, long) = (words(60), format!("Word {}.", words(79)));
        // 60 + 60 are enough; 60 + 240 too many, and so are three sentences of 80.
        let text = format!("{short}\n\n{short}\n\n{short}\n\n{long} {long} {long}");
        let found = passages(&text, Layout::Prose);
        let lengths: Vec<usize> = found.iter().map(|cut| count(&text[cut.range.clone()])).collect();
        assert_eq!(lengths, [120, 60, 160, 80]);
        assert!(text[found[2].range.clone()].ends_with("word."));
    }

    #[test]
    fn a_line_of_a_page_is_a_paragraph_and_a_wrapped_line_is_none() {
        let text = format!("{}\n{}\n{}", words(99), words(2), words(50));
        assert_eq!(cut(&text, Layout::Lines).len(), 2);
        assert_eq!(cut(&text, Layout::Prose), [text.as_str()]);
    }

    #[test]
    fn a_heading_begins_a_passage_which_knows_it() {
        let text = "# Pump\nIt pumps.\n## Filter\n\nReplace it.\n\nTwice.\n#hash";
        let found = passages(text, Layout::Markdown);
        let shown: Vec<_> =
            found.iter().map(|cut| (&text[cut.range.clone()], &text[cut.heading.clone()])).collect();
        assert_eq!(
            shown,
            [("# Pump\nIt pumps.", "# Pump"), ("## Filter\n\nReplace it.\n\nTwice.\n#hash", "## Filter")]
        );
        assert_eq!(cut(text, Layout::Prose), [text]);
    }

    #[test]
    fn what_has_no_sentences_or_no_spaces_is_cut_all_the_same() {
        for text in [words(1000), "a".repeat(100_000), "語".repeat(50_000)] {
            let found = cut(&text, Layout::Prose);
            assert!(found.len() > 4 && found.iter().all(|text| count(text) <= MOST), "{}", found.len());
            let (_, before) = found.split_last().unwrap();
            assert!(before.iter().all(|text| count(text) >= ENOUGH), "{}", found.len());
        }
        assert!(cut(" \n\n \u{c}\n", Layout::Prose).is_empty());
    }

    proptest! {
        #[test]
        fn passages_hold_the_whole_text_in_order(text in "([a-z]{1,9}[.?,]? |# [a-z]{3}\n|\n|\n\n|\u{c}|語){0,400}") {
            for layout in [Layout::Prose, Layout::Lines, Layout::Markdown] {
                let found = passages(&text, layout);
                let kept: String = found.iter().map(|cut| &text[cut.range.clone()]).collect();
                let plain = |text: &str| text.split_whitespace().collect::<String>();
                prop_assert_eq!(plain(&kept), plain(&text));
                prop_assert!(found.is_sorted_by(|a, b| a.range.end <= b.range.start));
                for cut in found {
                    let passage = &text[cut.range];
                    prop_assert!(count(passage) <= MOST && passage.trim() == passage && !passage.is_empty());
                }
            }
        }
    }
}
