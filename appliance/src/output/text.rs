//! Answers for people.

use core::fmt::Write;
use core::ops::Range;
use std::io::IsTerminal;

use blockspan_reader::Answer;

use super::printable;
use crate::cli::Color;
use crate::documents::Document;
use crate::search::Position;

/// Characters of a long line that are shown before and after the answer.
const AROUND: usize = 60;
/// And of a sentence.
const AROUND_IN_SENTENCE: usize = 400;

/// What came of a question.
pub struct Reply<'a> {
    /// "this passage", or what else was asked.
    pub what: &'static str,
    /// Best first.
    pub entries: Vec<Entry<'a>>,
    pub null_diff: f32,
    /// Above it there are no answers.
    pub null_threshold: f32,
    /// Above it the answers are guesses: what the model's file recommends.
    pub recommended: Option<f32>,
    /// The probability that there is an answer, where the model's file has what it follows from.
    pub answerable: Option<f32>,
}

/// An answer and the text that it is from.
pub struct Entry<'a> {
    pub answer: &'a Answer,
    pub document: &'a Document,
    /// Where there are several documents: which it is.
    pub place: Option<Place<'a>>,
    /// The sentence around the answer, where that is shown in place of its lines: bytes of the document.
    pub sentence: Option<Range<usize>>,
    /// Where else the same answer stands.
    pub also: Vec<String>,
}

/// A document among others.
pub struct Place<'a> {
    pub name: &'a str,
    /// How far the answer is ahead of "no answer" in it.
    pub margin: f32,
}

/// How an answer is set off from the text around it.
#[derive(Clone, Copy)]
pub struct Marks {
    open: &'static str,
    close: &'static str,
    bold: &'static str,
    plain: &'static str,
}

impl Marks {
    /// Brackets, for files and pipes.
    pub const BRACKETS: Self = Self { open: "[", close: "]", bold: "", plain: "" };

    /// Green, and underlined for those who do not see that; for terminals.
    const COLOR: Self = Self { open: "\x1b[1;4;32m", close: "\x1b[0m", bold: "\x1b[1m", plain: "\x1b[0m" };

    /// Those that are asked for, else those that fit stdout; then `NO_COLOR` (no-color.org) is heeded.
    pub fn for_stdout(color: Color) -> Self {
        let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match color {
            Color::Auto => std::io::stdout().is_terminal() && !no_color(),
            Color::Always => true,
            Color::Never => false,
        };
        if color { Self::COLOR } else { Self::BRACKETS }
    }
}

/// Each answer with its score, its place and the lines of the passage around it.
pub fn reply(reply: &Reply<'_>, marks: Marks) -> String {
    if reply.entries.is_empty() {
        let Reply { null_diff, null_threshold, .. } = reply;
        return if null_diff > null_threshold {
            format!("no answer\n  null_diff {null_diff:.3} is above {null_threshold}\n")
        } else {
            "no answer\n  no span of the passage fits\n".to_owned()
        };
    }
    let several = reply.entries.len() > 1;
    let mut out = String::new();
    let guesses = guessed(reply, &mut out);
    for (rank, entry) in (1..).zip(&reply.entries) {
        let text = entry.answer.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if rank > 1 {
            out.push('\n');
        }
        match (guesses, several) {
            (false, false) => {}
            // The best is none, but this one is.
            (false, true) if is_guess(entry, reply) => put(&mut out, format_args!("{rank}. guess: ")),
            (false, true) => put(&mut out, format_args!("{rank}. ")),
            (true, false) => out.push_str("best guess: "),
            (true, true) => put(&mut out, format_args!("guess {rank}: ")),
        }
        put(&mut out, format_args!("{}{}{}\n", marks.bold, printable(&text), marks.plain));
        details(&mut out, entry, marks);
    }
    out
}

/// Whether an answer is none to rely on by what its own document says.
fn is_guess(entry: &Entry<'_>, reply: &Reply<'_>) -> bool {
    entry
        .place
        .as_ref()
        .zip(reply.recommended)
        .is_some_and(|(place, recommended)| -place.margin > recommended)
}

/// Whether the answers are only guesses; says so first.
fn guessed(reply: &Reply<'_>, out: &mut String) -> bool {
    let null_diff = reply.null_diff;
    let Some(recommended) = reply.recommended.filter(|&threshold| null_diff > threshold) else {
        return false;
    };
    let why = format_args!("null_diff {null_diff:.3} is above {recommended}, the model's null_threshold");
    let what = reply.what;
    match reply.answerable {
        Some(probability) => {
            put(out, format_args!("no answer in {what}\n  answerable {probability:.4}; {why}\n\n"));
        }
        None => put(out, format_args!("no answer in {what}\n  {why}\n\n")),
    }
    true
}

fn details(out: &mut String, entry: &Entry<'_>, marks: Marks) {
    let Entry { answer, document, place, sentence, also } = entry;
    let &&Answer { start, end, start_char, end_char, score, .. } = answer;
    if let Some(Place { name, margin }) = place {
        let at = document.place_at(start);
        put(out, format_args!("  {}{at}, margin {margin:.3}\n", printable(name)));
    } else if let Position::Page(page) = document.position_at(start) {
        put(out, format_args!("  page {page}\n"));
    }
    put(out, format_args!("  score {score:.4}, bytes {start}..{end}, characters {start_char}..{end_char}\n"));
    let shown = sentence.clone().unwrap_or(0..document.text.len());
    let around = if sentence.is_some() { AROUND_IN_SENTENCE } else { AROUND };
    let text = document.text.get(shown.clone()).unwrap_or_default();
    let mut lines = excerpt(text, start - shown.start..end - shown.start);
    lines.iter_mut().for_each(|line| line.at += shown.start);
    // Of the file, not of the text.
    let width = lines.last().map_or(1, |line| document.line_at(line.at).to_string().len());
    for Line { number, at, before, marked, after } in lines {
        // A byte-order mark is no part of the text.
        let before = before.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(before);
        let (before, after) = (head_cut(before, around), tail_cut(after, around));
        put(
            out,
            format_args!(
                "  {:width$} | {}{}{}{}{}\n",
                document.line_at(at),
                before,
                marks.open,
                printable(marked),
                marks.close,
                after
            ),
        );
    }
    if !also.is_empty() {
        put(out, format_args!("  also {}\n", printable(&also.join(", "))));
    }
}

fn put(out: &mut String, text: core::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}

/// A line of the passage that holds some of the answer.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    number: usize,
    /// The first byte that is marked.
    at: usize,
    before: &'a str,
    marked: &'a str,
    after: &'a str,
}

/// The lines that a span touches, cut where the span begins and ends.
fn excerpt(passage: &str, span: Range<usize>) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut line_start = 0;
    for (number, line) in (1..).zip(passage.split_inclusive('\n')) {
        let at = |place: usize| place.clamp(line_start, line_start + line.len()) - line_start;
        let cut = line.split_at_checked(at(span.end)).and_then(|(head, after)| {
            let (before, marked) = head.split_at_checked(at(span.start))?;
            let at = line_start + before.len();
            Some(Line { number, at, before, marked: marked.trim_end_matches(['\n', '\r']), after })
        });
        lines.extend(cut.filter(|line| !line.marked.is_empty()));
        line_start += line.len();
        if line_start >= span.end {
            break;
        }
    }
    lines
}

/// The end of a text, from a word's beginning.
fn head_cut(text: &str, most: usize) -> String {
    let Some((cut, _)) = text.char_indices().rev().nth(most) else { return printable(text) };
    let tail = text.get(cut..).unwrap_or_default();
    format!("… {}", printable(tail.split_once(char::is_whitespace).map_or(tail, |(_, rest)| rest)))
}

/// The beginning of a text, up to a word's end.
fn tail_cut(text: &str, most: usize) -> String {
    let text = text.trim_end_matches(['\n', '\r']);
    let Some((cut, _)) = text.char_indices().nth(most) else { return printable(text) };
    let head = text.get(..cut).unwrap_or_default();
    format!("{} …", printable(head.rsplit_once(char::is_whitespace).map_or(head, |(rest, _)| rest)))
}

#[cfg(test)]
mod tests {
    use blockspan_reader::Answer;

    use super::{AROUND, Entry, Line, Marks, Place, Reply, excerpt, head_cut, reply, tail_cut};
    use crate::documents::Document;

    #[test]
    fn an_answer_is_shown_in_its_lines() {
        let passage = "one\r\ntwo three\nfour five\nsix";
        assert_eq!(
            excerpt(passage, 9..19),
            [
                Line { number: 2, at: 9, before: "two ", marked: "three", after: "" },
                Line { number: 3, at: 15, before: "", marked: "four", after: " five\n" },
            ]
        );
        assert_eq!(excerpt("one", 0..3), [Line { number: 1, at: 0, before: "", marked: "one", after: "" }]);
        let last = passage.len();
        assert_eq!(excerpt(passage, last - 3..last).len(), 1);
    }

    #[test]
    fn long_lines_are_cut_between_words() {
        let words = "äß word ".repeat(20);
        let (head, tail) = (head_cut(&words, AROUND), tail_cut(&words, AROUND));
        assert!(head.starts_with("… ") && head.ends_with("äß word "), "{head}");
        assert!(tail.starts_with("äß word ") && tail.ends_with(" …"), "{tail}");
        for cut in [head, tail] {
            assert!(cut.chars().count() <= AROUND + 3, "{cut}");
            assert!(cut.split_whitespace().all(|word| ["äß", "word", "…"].contains(&word)), "{cut}");
        }
    }

    fn nothing() -> Reply<'static> {
        Reply {
            what: "this passage",
            entries: Vec::new(),
            null_diff: 1.5,
            null_threshold: f32::INFINITY,
            recommended: None,
            answerable: None,
        }
    }

    fn answer(passage: &str, part: &str) -> Answer {
        let start = passage.find(part).unwrap();
        Answer { text: part.to_owned(), start, end: start + part.len(), ..Answer::default() }
    }

    fn entry<'a>(answer: &'a Answer, document: &'a Document) -> Entry<'a> {
        Entry { answer, document, place: None, sentence: None, also: Vec::new() }
    }

    #[test]
    fn no_answer_tells_why() {
        let shown = |null_threshold| reply(&Reply { null_threshold, ..nothing() }, Marks::BRACKETS);
        assert_eq!(shown(1.0), "no answer\n  null_diff 1.500 is above 1\n");
        assert_eq!(shown(2.0), "no answer\n  no span of the passage fits\n");
    }

    #[test]
    fn what_steers_the_terminal_or_reorders_text_is_spelt_out() {
        let passage = "\u{feff}a \u{202e}x\u{2066} \x1b[31mred\x07 \u{9b}b";
        let (document, answer) = (Document::plain(passage), answer(passage, "\x1b[31mred\x07"));
        let place = Some(Place { name: "a\x1bb.txt", margin: 2.0 });
        let entries = vec![Entry { place, ..entry(&answer, &document) }];
        let shown = reply(&Reply { entries, ..nothing() }, Marks::BRACKETS);
        let mut lines = shown.lines();
        assert_eq!(lines.next(), Some("<U+001B>[31mred<U+0007>"));
        assert_eq!(lines.next(), Some("  a<U+001B>b.txt:1, margin 2.000"));
        // The mark at the very beginning is no part of the text.
        let excerpt = "  1 | a <U+202E>x<U+2066> [<U+001B>[31mred<U+0007>] <U+009B>b";
        assert_eq!(lines.nth(1), Some(excerpt));
    }

    /// One document's answer may be good where another's is only a guess.
    #[test]
    fn each_document_tells_whether_its_answer_is_a_guess() {
        let (document, answer) = (Document::plain("one two"), answer("one two", "two"));
        let entry = |margin| Entry { place: Some(Place { name: "a", margin }), ..entry(&answer, &document) };
        let shown = |margins: [f32; 2], null_diff| {
            let (entries, recommended) = (margins.map(entry).into(), Some(-5.0));
            let text = reply(
                &Reply { what: "these documents", entries, null_diff, recommended, ..nothing() },
                Marks::BRACKETS,
            );
            text.lines()
                .filter(|line| !line.starts_with(' ') && !line.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown([9.0, 6.0], -9.0), ["1. two", "2. two"]);
        assert_eq!(shown([9.0, 4.0], -9.0), ["1. two", "2. guess: two"]);
        assert_eq!(shown([4.0, 3.0], -4.0), ["no answer in these documents", "guess 1: two", "guess 2: two"]);
    }

    #[test]
    fn a_sentence_is_shown_whole_with_where_else_the_answer_stands() {
        let long = "word ".repeat(30);
        let passage = format!("One. Two {long}three {long}\nfour. Five.");
        let (document, answer) = (Document::plain(passage.as_str()), answer(&passage, "three"));
        let sentence = Some(5..passage.len() - " Five.".len());
        let also = vec!["b.txt:3".to_owned(), "c\x1b.pdf, page 4".to_owned()];
        let entries = vec![Entry { sentence, also, ..entry(&answer, &document) }];
        let shown = reply(&Reply { entries, ..nothing() }, Marks::BRACKETS);
        let last: Vec<&str> = shown.lines().skip(2).collect();
        assert_eq!(last[0], format!("  1 | Two {long}[three] {long}"));
        assert_eq!(last[1..], ["  also b.txt:3, c<U+001B>.pdf, page 4"]);
    }
}
