//! The engine's tokenizer against the reference implementation, the `tokenizers` crate: equal ids and equal
//! offsets, on texts that are known to be hard, on every code point and on random texts.

mod arbitrary;
mod reference;
mod refusals;
mod texts;

use std::path::Path;

use reference::{CASED, Flags, PLAIN, Pair, UNCASED, character_tokenizer, fixture};

#[test]
fn hard_texts_in_models_of_every_kind() {
    for model in ["output-block", "cased"] {
        let pair = Pair::of_directory(&fixture(model));
        let tokens: usize = texts::HARD.iter().map(|text| pair.assert_equal(text)).sum();
        assert!(tokens > 300, "{model}: only {tokens} tokens");
    }
    // With a vocabulary of single characters that shows what each one becomes.
    let mut reference = character_tokenizer();
    let flags = [
        UNCASED,
        CASED,
        PLAIN,
        Flags { clean_text: true, ..PLAIN },
        Flags { handle_chinese_chars: true, ..PLAIN },
        Flags { strip_accents: Some(true), ..PLAIN },
        Flags { strip_accents: Some(false), lower_case: true, ..PLAIN },
        Flags { strip_accents: Some(true), ..CASED },
    ];
    for flags in flags {
        let pair = Pair::with_flags(&mut reference, flags);
        for text in texts::HARD {
            pair.assert_equal(text);
        }
    }
}

#[test]
fn every_code_point() {
    // Planes 4 to 13 are empty, 15 and 16 private: their first and last code points stand for the others.
    let is_dull =
        |c: char| matches!(c as u32 >> 16, 4..=13 | 15..) && (0x400..0xFC00).contains(&(c as u32 & 0xFFFF));
    let characters: Vec<char> = ('\0'..=char::MAX).filter(|c| !is_dull(*c)).collect();
    let mut reference = character_tokenizer();
    for flags in [UNCASED, CASED] {
        let pair = Pair::with_flags(&mut reference, flags);
        for block in characters.chunks(64) {
            let text: String = block.iter().flat_map(|&c| ['a', c, 'B', ' ']).collect();
            pair.assert_equal(&text);
        }
    }
}

#[test]
fn json_and_vocab_txt_give_the_same_sections() {
    for model in ["output-block", "cased"] {
        let directory = fixture(model);
        let copy = tempfile::tempdir().unwrap();
        for file in ["vocab.txt", "tokenizer_config.json"] {
            std::fs::copy(directory.join(file), copy.path().join(file)).unwrap();
        }
        let of_json = sections(&directory);
        let of_vocab = sections(copy.path());
        assert!(of_json.vocabulary == of_vocab.vocabulary, "{model}: vocabulary");
        assert!(of_json.index == of_vocab.index, "{model}: index");
        assert!(of_json.normalizer == of_vocab.normalizer, "{model}: normalizer");
        assert_eq!(of_json.special, of_vocab.special, "{model}");
    }
}

fn sections(directory: &Path) -> blockspan_trainer::pack::tokenizer::TokenizerSections {
    blockspan_trainer::pack::tokenizer::TokenizerSections::from_directory(directory).unwrap()
}

#[test]
fn every_token_is_found_by_its_text() {
    let pair = Pair::of_directory(&fixture("output-block"));
    let tokenizer = pair.tokenizer();
    for id in 0..tokenizer.vocabulary().len() as u32 {
        let token = tokenizer.vocabulary().token(id).unwrap();
        assert_eq!(tokenizer.id(token), Some(id), "{token:?}");
        assert_eq!(pair.reference().id_to_token(id).as_deref(), Some(token));
        // As a word, and in one.
        pair.assert_equal(token);
        pair.assert_equal(&format!("a{}", token.trim_start_matches("##")));
    }
    assert_eq!(tokenizer.id("##[SEP]"), None);
}
