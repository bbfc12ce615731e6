//! Passages, names and models from strangers: nothing in them steers the terminal or reorders what it shows.

use serde_json::Value;

use crate::common::{QUESTION, TempFile, ask, assert_refused, blockspan, stdout, with_card};

/// Right-to-left override, isolate, mark; escape sequence; C1 control.
const HOSTILE: &str = "a\u{202e}b\u{2066}c\u{200f}d\x1b[31me\u{9b}f";
const SHOWN: &str = "a<U+202E>b<U+2066>c<U+200F>d<U+001B>[31me<U+009B>f";

/// Nothing but printable characters and line feeds.
#[track_caller]
fn assert_harmless(text: &str) {
    let bad = |c: char| {
        c != '\n' && c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(bad), "{text:?}");
}

#[test]
fn a_passage_is_shown_with_its_control_characters_spelt_out() {
    let passage = format!("The lighthouse was built in {HOSTILE}1862 {HOSTILE}.");
    let shown = stdout(&blockspan(&["ask", QUESTION, "--context", &passage]).output().unwrap());
    assert_harmless(&shown);
    assert!(shown.contains(SHOWN), "{shown}");
    // The JSON gives the text as it is, but no terminal sees a character that steers it.
    let args = ["ask", QUESTION, "--context", &passage, "--json"];
    assert_harmless(&stdout(&blockspan(&args).output().unwrap()));
    let object = ask(QUESTION, &passage, &[]);
    let answer = &object["answers"][0];
    let place = |key: &str| answer[key].as_u64().unwrap() as usize;
    assert_eq!(answer["text"], passage[place("start")..place("end")]);
}

#[test]
fn a_models_card_is_shown_with_its_control_characters_spelt_out() {
    let file = TempFile::new("card.bspan", &with_card(&format!("base: {HOSTILE}\n{HOSTILE}: x\nf1: 1\r\n")));
    let text = stdout(&blockspan(&["inspect", file.name()]).output().unwrap());
    assert_harmless(&text);
    assert_eq!(text.matches(SHOWN).count(), 2, "{text}");
    let report: Value =
        serde_json::from_str(&stdout(&blockspan(&["inspect", "--json", file.name()]).output().unwrap()))
            .unwrap();
    assert_eq!(report["metadata"][0], serde_json::json!(["base", HOSTILE]));
}

#[test]
fn error_messages_show_names_with_their_control_characters_spelt_out() {
    let name = format!("/no/{HOSTILE}\nerror: other");
    for args in [
        ["ask", QUESTION, "--context", "c", "--model", &name].as_slice(),
        &["ask", QUESTION, "--context-file", &name],
        &["eval", &name],
        &["inspect", &name],
    ] {
        let output = blockspan(args).output().unwrap();
        assert_refused(&output, &[&format!("/no/{SHOWN}<U+000A>error: other: ")]);
        assert_harmless(&String::from_utf8(output.stderr).unwrap());
    }
}

#[test]
fn usage_errors_show_arguments_with_their_control_characters_spelt_out() {
    let name = format!("{HOSTILE}\nerror: other");
    let option = format!("--{name}=1");
    for args in [
        [name.as_str()].as_slice(),
        &["ask", QUESTION, &name],
        &["ask", QUESTION, &option],
        &["ask", QUESTION, "--threads", &name],
    ] {
        let output = blockspan(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_harmless(&stderr);
        assert!(stderr.contains(&format!("{SHOWN}<U+000A>error: other")), "{stderr}");
    }
}

#[test]
fn a_passage_in_16_bit_characters_is_no_text_of_single_letters() {
    let text = "The lighthouse on Gannet Point was built in 1862 and stands 31 metres above the rocks.\n";
    for (encoding, to) in
        [("UTF-16LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("UTF-16BE", u16::to_be_bytes)]
    {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(to).collect();
        let file = TempFile::new("wide.txt", &bytes);
        let output = blockspan(&["ask", QUESTION, "--context-file", file.name()]).output().unwrap();
        assert_refused(&output, &[file.name(), encoding, &format!("iconv -f {encoding} -t UTF-8")]);
    }
}
