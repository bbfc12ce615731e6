//! Answers for people.

use core::fmt::Write;
use core::ops::Range;
use std::io::IsTerminal;

use blockspan_reader::Answer;

use super::{Reply, printable};

/// Characters of a long line that are shown before and after the answer.
const AROUND: usize = 60;

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

    /// Bold and underlined, for terminals.
    const TERMINAL: Self = Self { open: "\x1b[1;4m", close: "\x1b[0m", bold: "\x1b[1m", plain: "\x1b[0m" };

    /// Those that fit stdout; `NO_COLOR` (no-color.org) is heeded.
    pub fn for_stdout() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !no_color { Self::TERMINAL } else { Self::BRACKETS }
    }
}

/// Each answer with its score, its place and the lines of the passage around it.
pub fn reply(reply: &Reply<'_>, marks: Marks) -> String {
    if reply.answers.is_empty() {
        let Reply { null_diff, null_threshold, .. } = reply;
        return if null_diff > null_threshold {
            format!("no answer\n  null_diff {null_diff:.3} is above {null_threshold}\n")
        } else {
            "no answer\n  no span of the passage fits\n".to_owned()
        };
    }
    let several = reply.answers.len() > 1;
    let mut out = String::new();
    let guesses = guessed(reply, &mut out);
    for (rank, answer) in (1..).zip(reply.answers) {
        let text = answer.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if rank > 1 {
            out.push('\n');
        }
        match (guesses, several) {
            (false, false) => {}
            (false, true) => put(&mut out, format_args!("{rank}. ")),
            (true, false) => out.push_str("best guess: "),
            (true, true) => put(&mut out, format_args!("guess {rank}: ")),
        }
        put(&mut out, format_args!("{}{}{}\n", marks.bold, printable(&text), marks.plain));
        details(&mut out, reply.passage, answer, marks);
    }
    out
}

/// Whether the answers are only guesses; says so first.
fn guessed(reply: &Reply<'_>, out: &mut String) -> bool {
    let null_diff = reply.null_diff;
    let Some(recommended) = reply.recommended.filter(|&threshold| null_diff > threshold) else {
        return false;
    };
    let why = format_args!("null_diff {null_diff:.3} is above {recommended}, the model's null_threshold");
    match reply.answerable {
        Some(probability) => {
            put(out, format_args!("no answer in this passage\n  answerable {probability:.4}; {why}\n\n"));
        }
        None => put(out, format_args!("no answer in this passage\n  {why}\n\n")),
    }
    true
}

fn details(out: &mut String, passage: &str, answer: &Answer, marks: Marks) {
    let &Answer { start, end, start_char, end_char, score, .. } = answer;
    put(out, format_args!("  score {score:.4}, bytes {start}..{end}, characters {start_char}..{end_char}\n"));
    let lines = excerpt(passage, start..end);
    let width = lines.last().map_or(1, |line| line.number.to_string().len());
    for Line { number, before, marked, after } in lines {
        // A byte-order mark is no part of the text.
        let before = before.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(before);
        put(
            out,
            format_args!(
                "  {number:width$} | {}{}{}{}{}\n",
                head_cut(before),
                marks.open,
                printable(marked),
                marks.close,
                tail_cut(after)
            ),
        );
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
            Some(Line { number, before, marked: marked.trim_end_matches(['\n', '\r']), after })
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
fn head_cut(text: &str) -> String {
    let Some((cut, _)) = text.char_indices().rev().nth(AROUND) else { return printable(text) };
    let tail = text.get(cut..).unwrap_or_default();
    format!("… {}", printable(tail.split_once(char::is_whitespace).map_or(tail, |(_, rest)| rest)))
}

/// The beginning of a text, up to a word's end.
fn tail_cut(text: &str) -> String {
    let text = text.trim_end_matches(['\n', '\r']);
    let Some((cut, _)) = text.char_indices().nth(AROUND) else { return printable(text) };
    let head = text.get(..cut).unwrap_or_default();
    format!("{} …", printable(head.rsplit_once(char::is_whitespace).map_or(head, |(rest, _)| rest)))
}

#[cfg(test)]
mod tests {
    use super::{AROUND, Line, Marks, Reply, excerpt, head_cut, reply, tail_cut};
    use blockspan_reader::Answer;

    #[test]
    fn an_answer_is_shown_in_its_lines() {
        let passage = "one\r\ntwo three\nfour five\nsix";
        assert_eq!(
            excerpt(passage, 9..19),
            [
                Line { number: 2, before: "two ", marked: "three", after: "" },
                Line { number: 3, before: "", marked: "four", after: " five\n" },
            ]
        );
        assert_eq!(excerpt("one", 0..3), [Line { number: 1, before: "", marked: "one", after: "" }]);
        let last = passage.len();
        assert_eq!(excerpt(passage, last - 3..last).len(), 1);
    }

    #[test]
    fn long_lines_are_cut_between_words() {
        let words = "äß word ".repeat(20);
        let (head, tail) = (head_cut(&words), tail_cut(&words));
        assert!(head.starts_with("… ") && head.ends_with("äß word "), "{head}");
        assert!(tail.starts_with("äß word ") && tail.ends_with(" …"), "{tail}");
        for cut in [head, tail] {
            assert!(cut.chars().count() <= AROUND + 3, "{cut}");
            assert!(cut.split_whitespace().all(|word| ["äß", "word", "…"].contains(&word)), "{cut}");
        }
    }

    fn nothing(passage: &str) -> Reply<'_> {
        Reply {
            passage,
            answers: &[],
            null_diff: 1.5,
            null_threshold: f32::INFINITY,
            recommended: None,
            answerable: None,
        }
    }

    #[test]
    fn no_answer_tells_why() {
        let shown = |null_threshold| reply(&Reply { null_threshold, ..nothing("a") }, Marks::BRACKETS);
        assert_eq!(shown(1.0), "no answer\n  null_diff 1.500 is above 1\n");
        assert_eq!(shown(2.0), "no answer\n  no span of the passage fits\n");
    }

    #[test]
    fn what_steers_the_terminal_or_reorders_text_is_spelt_out() {
        let passage = "\u{feff}a \u{202e}x\u{2066} \x1b[31mred\x07 \u{9b}b";
        let at = |part: &str| passage.find(part).unwrap();
        let (start, end) = (at("\x1b"), at("\x07") + 1);
        let text = passage[start..end].to_owned();
        let answers = [Answer { text, start, end, ..Answer::default() }];
        let shown = reply(&Reply { answers: &answers, ..nothing(passage) }, Marks::BRACKETS);
        let mut lines = shown.lines();
        assert_eq!(lines.next(), Some("<U+001B>[31mred<U+0007>"));
        // The mark at the very beginning is no part of the text.
        let excerpt = "  1 | a <U+202E>x<U+2066> [<U+001B>[31mred<U+0007>] <U+009B>b";
        assert_eq!(lines.nth(1), Some(excerpt));
    }
}
