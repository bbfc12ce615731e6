//! The text of an HTML page.

use core::convert::Infallible;
use core::ops::Range;

use html5gum::emitters::ForwardingEmitter;
use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, Reader, Span, Tokenizer};

use super::document::{Document, Lines};

/// Elements that begin on a line of their own.
const BLOCKS: [&str; 44] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "title",
    "tr",
    "ul",
];

/// Elements whose content no reader sees.
const UNSEEN: [&str; 7] = ["iframe", "noembed", "noframes", "noscript", "script", "style", "template"];

/// The text without tags: a line for each block, white space as a browser shows it, references such as `&eacute;` read.
pub fn text(page: &str) -> Document {
    let mut state = State { page, ..State::default() };
    let sink = |event: CallbackEvent<'_>, span: Span<usize>| -> Option<Infallible> {
        match event {
            CallbackEvent::String { value } => state.characters(value, span.start),
            CallbackEvent::OpenStartTag { name } => state.tag(name, true),
            CallbackEvent::EndTag { name } => state.tag(name, false),
            _ => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(sink);
    // As far as one can tell without a tree: no tags in scripts, styles and titles.
    emitter.naively_switch_states(true);
    // It yields nothing: the sink keeps what it wants.
    let mut tokens = Tokenizer::new_with_emitter(Page(page.as_bytes()), Lenient(emitter));
    let Ok(()) = tokens.try_for_each(|token| token.map(drop));
    let title = state.text.get(state.title.unwrap_or_default()).unwrap_or_default().trim().to_owned();
    Document { text: state.text.into(), lines: Lines::From(state.lines), title }
}

/// What is left of a page. The crate's own reader is some percent faster, and inlined into each of the tokenizer's states,
/// which makes the command larger by 60 kB.
struct Page<'a>(&'a [u8]);

impl Page<'_> {
    #[inline(never)]
    fn take(&mut self, bytes: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at_checked(bytes).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }
}

impl Reader for Page<'_> {
    type Error = Infallible;

    #[inline(never)]
    fn read_byte(&mut self) -> Result<Option<u8>, Infallible> {
        Ok(self.take(1).first().copied())
    }

    #[inline(never)]
    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Infallible> {
        let next = self.0.get(..text.len()).unwrap_or_default();
        let same = if case_sensitive { next == text } else { next.eq_ignore_ascii_case(text) };
        if same {
            self.take(text.len());
        }
        Ok(same)
    }

    #[inline(never)]
    fn read_until<'b>(&'b mut self, ends: &[u8], _: &'b mut [u8; 4]) -> Result<Option<&'b [u8]>, Infallible> {
        let before = self.0.iter().position(|byte| ends.contains(byte)).unwrap_or(self.0.len());
        // What ends a piece comes alone.
        Ok(Some(self.take(before.max(1))).filter(|piece| !piece.is_empty()))
    }
}

/// Nobody wants to know of mistakes, so that the code that looks for them is left out.
struct Lenient<F: Callback<Infallible, usize>>(CallbackEmitter<F, Infallible, usize>);

impl<F: Callback<Infallible, usize>> ForwardingEmitter for Lenient<F> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    #[inline]
    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

/// Gathers the text from the tokens.
#[derive(Default)]
struct State<'a> {
    page: &'a str,
    /// A byte of the page and the line ends before it.
    counted: (usize, u64),
    text: String,
    /// The first byte from which on the text is from a line of the page, and that line.
    lines: Vec<(usize, u64)>,
    /// White space has been seen behind the text.
    space: bool,
    /// What follows begins on a new line.
    block: bool,
    /// Elements `pre` around this place, whose white space counts.
    pre: usize,
    /// Where the text of the first title is; it has no end yet while that is open.
    title: Option<Range<usize>>,
    /// The unseen element around this place, and how many of its kind are open.
    unseen: Option<(Vec<u8>, usize)>,
}

impl State<'_> {
    /// The line of the page in which the byte at `at` is; bytes are asked for in order.
    fn line_at(&mut self, at: usize) -> u64 {
        let (from, before) = self.counted;
        let between = self.page.as_bytes().get(from..at).unwrap_or_default();
        self.counted = (at.max(from), before + between.iter().filter(|&&byte| byte == b'\n').count() as u64);
        1 + self.counted.1
    }

    /// Characters that begin at a byte of the page.
    fn characters(&mut self, characters: &[u8], at: usize) {
        if self.unseen.is_some() {
            return;
        }
        let mut line = self.line_at(at);
        for c in String::from_utf8_lossy(characters).chars() {
            line += u64::from(c == '\n');
            match c {
                '\0' => {}
                '\n' if self.pre > 0 => self.block = true,
                c if c.is_ascii_whitespace() && self.pre == 0 => self.space = true,
                c => self.push(c, line),
            }
        }
    }

    fn push(&mut self, c: char, line: u64) {
        if self.text.is_empty() || self.block {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
        } else if self.space {
            self.text.push(' ');
        }
        (self.block, self.space) = (false, false);
        if self.lines.last().is_none_or(|(_, last)| *last != line) {
            self.lines.push((self.text.len(), line));
        }
        self.text.push(c);
    }

    fn title(&mut self, starts: bool) {
        let end = self.text.len();
        match &mut self.title {
            None if starts => self.title = Some(end..end),
            Some(title) if title.start == title.end && !starts => title.end = end,
            _ => {}
        }
    }

    fn tag(&mut self, name: &[u8], starts: bool) {
        let is = |names: &[&str]| names.iter().any(|other| other.as_bytes() == name);
        match &mut self.unseen {
            Some((unseen, open)) if unseen == name => {
                *open = if starts { *open + 1 } else { *open - 1 };
                if *open == 0 {
                    self.unseen = None;
                }
            }
            Some(_) => {}
            None if starts && is(&UNSEEN) => self.unseen = Some((name.to_owned(), 1)),
            None => {
                self.block |= is(&BLOCKS);
                // The cells of a row.
                self.space |= is(&["td", "th"]);
                if name == b"title" {
                    self.title(starts);
                }
                if name == b"pre" {
                    self.pre = if starts { self.pre + 1 } else { self.pre.saturating_sub(1) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    const PAGE: &str = "<!DOCTYPE html>\r
<html><head><title>The caf\u{e9} &amp; the mast</title>
<style>p { color: red }</style><script>if (1 < 2) { document.write(\"<p>no</p>\"); }</script></head>
<body>
<h1>The   <em>mast</em></h1>
<p>It is 31 metres
   high&nbsp;&mdash; and <b>r</b>ed.<br>Really<!-- a <p>comment -->.
<template>unseen <template>twice</template> unseen</template>
<table><tr><th>Year</th><td>1862</td></tr>
<tr><td>Cost<td>4&thinsp;000</table>
<pre>a
  b</pre>
<p>1 < 2 &unknown; <p>the end";

    #[test]
    fn tags_go_and_each_block_is_a_line() {
        let document = text(PAGE);
        let expected = "The caf\u{e9} & the mast\nThe mast\nIt is 31 metres high\u{a0}\u{2014} and red.\nReally.\n\
                        Year 1862\nCost 4\u{2009}000\na\n  b\n1 < 2 &unknown;\nthe end";
        assert_eq!(&*document.text, expected);
        assert_eq!(document.title, "The caf\u{e9} & the mast");
    }

    #[test]
    fn each_word_knows_its_line_of_the_page() {
        let document = text(PAGE);
        for needle in
            ["The caf", "mast\nIt", "31 metres", "high", "Really", "1862", "Cost", "  b", "1 < 2", "the end"]
        {
            let at = document.text.find(needle).unwrap();
            // Where the page has it, by its first word.
            let word = needle.split_whitespace().next().unwrap();
            let word = match word {
                "mast" => "<em>mast",
                "The" => "<title>",
                "b" => "  b</pre>",
                "the" => "the end",
                "1" => "1 < 2 &",
                word => word,
            };
            let line = 1 + PAGE[..PAGE.find(word).unwrap()].matches('\n').count();
            assert_eq!(document.line_at(at), line as u64, "{needle}");
        }
    }

    /// References are shorter as characters than as they are written; that moves no line.
    #[test]
    fn a_long_page_is_one_text() {
        let row = "<p>\u{e9}t\u{e9} &amp; <b>hiver</b></p>\r\n";
        let rows = 20_000;
        let document = text(&row.repeat(rows));
        assert_eq!(document.text.lines().count(), rows);
        assert!(document.text.lines().all(|line| line == "\u{e9}t\u{e9} & hiver"));
        assert_eq!(document.line_at(document.text.len() - 1), rows as u64);
    }

    #[test]
    fn no_page_is_refused() {
        for (page, expected) in [
            ("", ""),
            ("<", "<"),
            ("plain", "plain"),
            ("</template></pre>x", "x"),
            ("<script>never ends", ""),
            ("<template></script></template>x", "x"),
            ("a\0b", "ab"),
            ("&#x110000;&#0;", "\u{fffd}\u{fffd}"),
            ("<p", ""),
        ] {
            assert_eq!(&*text(page).text, expected, "{page:?}");
        }
    }
}
