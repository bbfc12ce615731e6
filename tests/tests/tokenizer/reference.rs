//! A tokenizer of the reference implementation beside the engine's, made from the same model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blockspan_engine::tokenizer::Tokenizer;
use blockspan_trainer::pack::tokenizer::TokenizerSections;
use blockspan_trainer::tokenizer::{SpecialNames, read_tokenizer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::{NormalizedString, Normalizer as _};

pub struct Pair {
    reference: tokenizers::Tokenizer,
    sections: TokenizerSections,
}

/// The flags of a normalizer.
#[derive(Clone, Copy)]
pub struct Flags {
    pub clean_text: bool,
    pub handle_chinese_chars: bool,
    pub strip_accents: Option<bool>,
    pub lower_case: bool,
}

/// As `bert-base-uncased` has them.
pub const UNCASED: Flags =
    Flags { clean_text: true, handle_chinese_chars: true, strip_accents: None, lower_case: true };
/// As `bert-base-cased` has them: nothing is decomposed and nothing lower-cased.
pub const CASED: Flags = Flags { lower_case: false, ..UNCASED };
/// Nothing at all is done.
pub const PLAIN: Flags = Flags { clean_text: false, handle_chinese_chars: false, ..CASED };

impl Pair {
    pub fn of_directory(directory: &Path) -> Self {
        let (reference, names, _) = read_tokenizer(directory).unwrap();
        Self::new(reference, &names)
    }

    pub fn new(reference: tokenizers::Tokenizer, names: &SpecialNames) -> Self {
        let sections = TokenizerSections::from_tokenizer(&reference, names).unwrap();
        Self { reference, sections }
    }

    pub fn with_flags(reference: &mut tokenizers::Tokenizer, flags: Flags) -> Self {
        let Flags { clean_text, handle_chinese_chars, strip_accents, lower_case } = flags;
        let normalizer = BertNormalizer::new(clean_text, handle_chinese_chars, strip_accents, lower_case);
        reference.with_normalizer(Some(normalizer));
        Self::new(reference.clone(), &names())
    }

    pub fn reference(&self) -> &tokenizers::Tokenizer {
        &self.reference
    }

    pub fn tokenizer(&self) -> Tokenizer<'_> {
        self.sections.tokenizer().unwrap()
    }

    /// Compares ids and offsets; returns the number of tokens.
    pub fn assert_equal(&self, text: &str) -> usize {
        let encoding = self.reference.encode(text, false).unwrap();
        let expected: Vec<_> =
            encoding.get_ids().iter().copied().zip(encoding.get_offsets().to_vec()).collect();
        let tokens: Vec<_> = self
            .tokenizer()
            .tokens(text)
            .map(|token| (token.id, (token.start as usize, token.end as usize)))
            .collect();
        assert_eq!(tokens, expected, "{:?} = {}", text, text.escape_unicode());
        tokens.len()
    }
}

/// A model directory among the fixtures.
pub fn fixture(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny").join(model)
}

pub fn names() -> SpecialNames {
    let [cls, sep, pad, mask] = ["[CLS]", "[SEP]", "[PAD]", "[MASK]"].map(String::from);
    SpecialNames { cls, sep, pad, mask: Some(mask) }
}

/// A vocabulary with each character, alone and as a continuation, that occurs in the first blocks of Unicode or
/// that the normalizer makes of another: with it, hardly a word is unknown and every character shows.
pub fn character_tokenizer() -> tokenizers::Tokenizer {
    let mut characters: BTreeSet<char> = (' '..'\u{3100}').collect();
    let (uncased, lower) = (BertNormalizer::default(), BertNormalizer::new(false, false, Some(false), true));
    for character in '\u{80}'..=char::MAX {
        for normalizer in [uncased, lower] {
            let mut text = NormalizedString::from(character.to_string());
            normalizer.normalize(&mut text).unwrap();
            let changed = text.get().chars().filter(|&to| to != character);
            characters.extend(changed);
        }
    }
    // Combining characters beyond those blocks.
    characters
        .extend(('\u{A66F}'..'\u{AC00}').chain('\u{10A00}'..'\u{11E00}').chain('\u{1D165}'..'\u{1D245}'));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let alone = characters.iter().map(char::to_string);
    let continued = characters.iter().map(|character| format!("##{character}"));
    let directory = tempfile::tempdir().unwrap();
    let tokens: Vec<String> = special.into_iter().chain(alone).chain(continued).collect();
    std::fs::write(directory.path().join("vocab.txt"), tokens.join("\n")).unwrap();
    read_tokenizer(directory.path()).unwrap().0
}
