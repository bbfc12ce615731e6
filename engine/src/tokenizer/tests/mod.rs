mod sections;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use sections::{Change, Sections};

const TOKENS: &[&str] = &[
    "un", "##aff", "##able", "affable", "##a", "##b", "a", "b", "e", "=", "!", "[", "]", "se", "##p", "漢",
    "ᄒ", "##ᅡ", "##ᆫ", "##ᅢ", "##x", "##y", "##z", "x",
];

/// Three combining characters that stay, and marks that go.
const CHANGES: &[(char, Change)] = &[
    ('\u{AD}', Change::Action(REMOVE)),
    ('\u{A0}', Change::Action(SPACE)),
    ('漢', Change::Action(ISOLATE)),
    ('한', Change::Action(HANGUL)),
    ('해', Change::Action(HANGUL)),
    ('é', Change::Entry(&[(0, 0, "e"), (0, 230, "")])),
    ('≠', Change::Entry(&[(1, 0, "="), (0, 1, "")])),
    ('\u{301}', Change::Entry(&[(0, 230, "")])),
    ('\u{323}', Change::Entry(&[(0, 220, "")])),
    ('\u{900}', Change::Entry(&[(0, 9, "x")])),
    ('\u{901}', Change::Entry(&[(0, 216, "y")])),
    ('\u{902}', Change::Entry(&[(0, 240, "z")])),
    ('\u{903}', Change::Entry(&[(0, 0, "a"), (0, 216, "y"), (0, 240, "z")])),
];

fn tokenize(text: &str) -> Vec<(String, u32, u32)> {
    let sections = Sections::new(TOKENS, CHANGES);
    let tokenizer = sections.tokenizer().unwrap();
    let token = |id| tokenizer.vocabulary().token(id).unwrap();
    tokenizer.tokens(text).map(|Token { id, start, end }| (token(id).into(), start, end)).collect()
}

fn assert_tokens(text: &str, expected: &[(&str, u32, u32)]) {
    let tokens = tokenize(text);
    let tokens: Vec<(&str, u32, u32)> = tokens.iter().map(|(token, s, e)| (token.as_str(), *s, *e)).collect();
    assert_eq!(tokens, expected, "{text:?}");
}

#[test]
fn longest_tokens_first_with_offsets() {
    assert_tokens(
        "Unaffable, a b!",
        &[
            ("un", 0, 2),
            ("##aff", 2, 5),
            ("##able", 5, 9),
            ("[UNK]", 9, 10),
            ("a", 11, 12),
            ("b", 13, 14),
            ("!", 14, 15),
        ],
    );
    assert_tokens("", &[]);
    assert_tokens(" \u{A0}\t\u{AD}", &[]);
}

#[test]
fn a_word_that_fails_anywhere_is_unknown_as_a_whole() {
    assert_tokens("unaffc affable", &[("[UNK]", 0, 6), ("affable", 7, 14)]);
}

#[test]
fn special_tokens_are_taken_out_of_the_raw_text() {
    assert_tokens(
        "a[SEP]b [sep]",
        &[
            ("a", 0, 1),
            ("[SEP]", 1, 6),
            ("b", 6, 7),
            ("[", 8, 9),
            ("se", 9, 11),
            ("##p", 11, 12),
            ("]", 12, 13),
        ],
    );
    assert_tokens("[[CLS][MASK]", &[("[", 0, 1), ("[CLS]", 1, 6), ("[MASK]", 6, 12)]);
    // A soft hyphen is removed, but only after the special tokens have been looked for.
    assert_tokens("[SE\u{AD}P]", &[("[", 0, 1), ("se", 1, 3), ("##p", 5, 6), ("]", 6, 7)]);
}

#[test]
fn stripped_accents_are_in_no_token_unless_inside() {
    assert_tokens("é", &[("e", 0, 2)]);
    assert_tokens("e\u{301} a\u{301}b", &[("e", 0, 1), ("a", 4, 5), ("##b", 7, 8)]);
    assert_tokens("≠a", &[("=", 0, 3), ("a", 3, 4)]);
    assert_tokens("a\u{AD}b", &[("a", 0, 1), ("##b", 3, 4)]);
}

#[test]
fn isolated_characters_and_syllables() {
    assert_tokens("a漢b", &[("a", 0, 1), ("漢", 1, 4), ("b", 4, 5)]);
    assert_tokens("한", &[("ᄒ", 0, 3), ("##ᅡ", 0, 3), ("##ᆫ", 0, 3)]);
    assert_tokens("해", &[("ᄒ", 0, 3), ("##ᅢ", 0, 3)]);
}

#[test]
fn combining_characters_that_stay_are_put_in_order() {
    // Each takes the place of the character that stood where it moves to.
    assert_tokens("a\u{902}\u{901}\u{900}", &[("a", 0, 1), ("##x", 1, 4), ("##y", 4, 7), ("##z", 7, 10)]);
    // Marks that go take a place too: the order is 216 (y), 220, 230, 240 (z).
    assert_tokens("a\u{301}\u{902}\u{323}\u{901}", &[("a", 0, 1), ("##y", 1, 3), ("##z", 8, 11)]);
    // Those that were removed before do not.
    assert_tokens("a\u{AD}\u{902}\u{AD}\u{901}", &[("a", 0, 1), ("##y", 3, 6), ("##z", 8, 11)]);
    // The accent of é belongs to the run, and has no place of its own.
    assert_tokens("é\u{901}", &[("e", 0, 2), ("##y", 2, 5)]);
    // A character with combining characters of its own: `x` comes before them and takes its own place.
    assert_tokens("\u{903}\u{900}", &[("a", 0, 3), ("##x", 3, 6), ("##y", 3, 6), ("##z", 3, 6)]);
    // A run without a starter, and one that a special token cuts.
    assert_tokens("\u{902}\u{900}", &[("x", 0, 3), ("##z", 3, 6)]);
    assert_tokens("a\u{902}[SEP]\u{900}", &[("a", 0, 1), ("##z", 1, 4), ("[SEP]", 4, 9), ("x", 9, 12)]);
}

#[test]
fn long_runs_and_long_words() {
    let word = |length| format!("{} b", "a".repeat(length));
    assert_eq!(tokenize(&word(100)).len(), 101);
    assert_tokens(&word(101), &[("[UNK]", 0, 101), ("b", 102, 103)]);
    assert_tokens(&word(100_000), &[("[UNK]", 0, 100_000), ("b", 100_001, 100_002)]);
    let run = format!("a{}\u{900}b", "\u{301}".repeat(1000));
    assert_tokens(&run, &[("a", 0, 1), ("##x", 1, 3), ("##b", 2004, 2005)]);
}

#[test]
fn the_iterator_can_be_copied_anywhere() {
    let text = "unaffable [SEP] a\u{902}\u{901}b \u{903}\u{900} 한 unaffc";
    let sections = Sections::new(TOKENS, CHANGES);
    let tokenizer = sections.tokenizer().unwrap();
    let all: Vec<Token> = tokenizer.tokens(text).collect();
    let mut tokens = tokenizer.tokens(text);
    for done in 0..=all.len() {
        assert_eq!(tokens.clone().collect::<Vec<_>>(), all[done..]);
        tokens.next();
    }
    assert!(tokens.next().is_none());
}

#[test]
fn tokens_by_text_and_by_id() {
    let sections = Sections::new(TOKENS, CHANGES);
    let tokenizer = sections.tokenizer().unwrap();
    for (id, token) in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].iter().chain(TOKENS).enumerate() {
        assert_eq!(tokenizer.id(token), Some(id as u32));
        assert_eq!(tokenizer.vocabulary().token(id as u32), Some(*token));
    }
    assert_eq!(tokenizer.id("##"), None);
    assert_eq!(tokenizer.id("##un"), None);
    assert_eq!(tokenizer.vocabulary().token(tokenizer.vocabulary().len() as u32), None);
    assert_eq!(tokenizer.vocabulary().token(u32::MAX), None);
}

/// Sections that were cut short are refused; with any byte changed they are refused or give some tokens.
#[test]
fn damaged_sections() {
    const TEXT: &str = "unaffable\u{902}\u{901}é 한漢 [SEP]\u{903}\u{900} aaaa\u{301}\u{900}≠!";
    type Part = fn(&mut Sections) -> &mut Vec<u8>;
    let parts: [Part; 3] = [|s| &mut s.vocabulary, |s| &mut s.index, |s| &mut s.normalizer];
    let mut sections = Sections::new(TOKENS, CHANGES);
    let (mut refused, mut accepted) = (0, 0);
    for part in parts {
        let whole = part(&mut sections).clone();
        for length in (0..whole.len()).filter(|length| *length < 500 || length % 61 == 0) {
            part(&mut sections).truncate(length);
            assert!(sections.tokenizer().is_err(), "cut to {length} of {}", whole.len());
            *part(&mut sections) = whole.clone();
        }
        for at in (0..whole.len()).filter(|at| *at < 700 || at % 31 == 0 || at + 200 > whole.len()) {
            for flip in [1u8, 0x10, 0x80, 0xFF] {
                part(&mut sections)[at] ^= flip;
                match sections.tokenizer() {
                    Err(_) => refused += 1,
                    Ok(tokenizer) => {
                        accepted += 1;
                        for token in tokenizer.tokens(TEXT) {
                            assert!(token.start < token.end && token.end as usize <= TEXT.len());
                            assert!((token.id as usize) < tokenizer.vocabulary().len());
                        }
                    }
                }
                part(&mut sections)[at] ^= flip;
            }
        }
    }
    assert!(refused > 1000 && accepted > 1000, "{refused} refused, {accepted} accepted");
}
