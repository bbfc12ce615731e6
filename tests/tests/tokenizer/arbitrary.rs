//! Random texts. `BLOCKSPAN_PROPTEST_CASES` sets their number.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::reference::{CASED, Pair, UNCASED, character_tokenizer, fixture};
use crate::texts;

fn cases() -> u32 {
    std::env::var("BLOCKSPAN_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000)
}

/// A piece of text: mostly one character.
fn fragment() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>(),
        2 => proptest::char::range('\0', '\u{10FFFF}'),
        3 => proptest::char::range('\0', '\u{7F}'),
        3 => proptest::char::range('\u{80}', '\u{3100}'),
        4 => select(texts::COMBINING),
        2 => select(texts::AWKWARD),
        1 => proptest::char::range('\u{AC00}', '\u{D7A3}'),
        1 => proptest::char::range('\u{F900}', '\u{FAFF}'),
        1 => proptest::char::range('\u{1D100}', '\u{1D200}'),
        4 => proptest::char::range('a', 'f'),
        2 => Just(' '),
    ];
    prop_oneof![
        30 => character.prop_map(String::from),
        2 => select(texts::WORDS).prop_map(String::from),
        // Around the longest word that may be split.
        1 => (select(texts::AWKWARD), 95usize..106).prop_map(|(c, times)| c.to_string().repeat(times)),
    ]
}

fn check(pair: &Pair) {
    let texts = proptest::collection::vec(fragment(), 0..40).prop_map(|fragments| fragments.concat());
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&texts, |text| {
        pair.assert_equal(&text);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn words() {
    check(&Pair::of_directory(&fixture("output-block")));
}

#[test]
fn uncased_characters() {
    check(&Pair::with_flags(&mut character_tokenizer(), UNCASED));
}

#[test]
fn cased_characters() {
    check(&Pair::with_flags(&mut character_tokenizer(), CASED));
}
