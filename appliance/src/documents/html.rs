//! The text of an HTML page.

use core::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::document::{Document, Lines};

/// Bytes that the tokenizer gets at once.
const PIECE: usize = 1 << 20;

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
    // Else a line end of Windows could be counted twice.
    let page = page.replace("\r\n", "\n");
    let tokenizer = Tokenizer::new(Text::default(), TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = page.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE.min(rest.len())));
        rest = after;
        queue.push_back(StrTendril::from_slice(piece));
        // It stops where a script would run.
        while !queue.is_empty() {
            let _ = tokenizer.feed(&queue);
        }
    }
    tokenizer.end();
    let State { text, lines, .. } = tokenizer.sink.0.into_inner();
    Document { text: text.into(), lines: Lines::From(lines) }
}

/// Gathers the text from the tokens.
#[derive(Default)]
struct Text(RefCell<State>);

#[derive(Default)]
struct State {
    text: String,
    /// The first byte from which on the text is from a line of the page, and that line.
    lines: Vec<(usize, u64)>,
    /// White space has been seen behind the text.
    space: bool,
    /// What follows begins on a new line.
    block: bool,
    /// Elements `pre` around this place, whose white space counts.
    pre: usize,
    /// The unseen element around this place, and how many of its kind are open.
    unseen: Option<(String, usize)>,
}

impl TokenSink for Text {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(characters) => state.characters(&characters, line),
            Token::TagToken(tag) => return state.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    /// `line` is that of their end.
    fn characters(&mut self, characters: &str, line: u64) {
        if self.unseen.is_some() {
            return;
        }
        let mut line = line.saturating_sub(characters.matches('\n').count() as u64);
        for c in characters.chars() {
            line += u64::from(c == '\n');
            match c {
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

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name = &*tag.name;
        let starts = tag.kind == TagKind::StartTag;
        match &mut self.unseen {
            Some((unseen, open)) if unseen == name => {
                *open = if starts { *open + 1 } else { *open - 1 };
                if *open == 0 {
                    self.unseen = None;
                }
            }
            Some(_) => {}
            None if starts && UNSEEN.contains(&name) => self.unseen = Some((name.to_owned(), 1)),
            None => {
                self.block |= BLOCKS.contains(&name);
                // The cells of a row.
                self.space |= ["td", "th"].contains(&name);
                if name == "pre" {
                    self.pre = if starts { self.pre + 1 } else { self.pre.saturating_sub(1) };
                }
            }
        }
        match name {
            _ if !starts => TokenSinkResult::Continue,
            "script" => TokenSinkResult::RawData(ScriptData),
            "title" | "textarea" => TokenSinkResult::RawData(Rcdata),
            "iframe" | "noembed" | "noframes" | "noscript" | "style" | "xmp" => {
                TokenSinkResult::RawData(Rawtext)
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PIECE, text};

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

    /// The tokenizer gets a page in pieces; the text does not show where they meet.
    #[test]
    fn a_long_page_is_one_text() {
        let row = "<p>\u{e9}t\u{e9} &amp; <b>hiver</b></p>\n";
        let rows = PIECE / row.len() * 2 + 10;
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
