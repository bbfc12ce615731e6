//! The normalizer's tables, taken from the reference implementation by asking it about every code point.
//!
//! [`BertNormalizer`] is four steps, of which each but one looks at a character at a time. The exception is the
//! canonical ordering of combining characters, which the engine does; for it the table holds the decomposition
//! before the marks are dropped, with the combining classes of the crate that the reference decomposes with.

use std::collections::HashMap;

use anyhow::{Result, anyhow, ensure};
use blockspan_engine::tokenizer::{
    ASCII_ISOLATE, ASCII_REMOVE, BLOCK, BLOCKS, HANGUL, ISOLATE, KEEP, Normalizer, POOL, REMOVE, SPACE, flags,
};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    NormalizedString, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
};
use unicode_normalization_alignments::char::{canonical_combining_class, decompose_canonical};

/// See [`Normalizer`] for the bytes.
pub(super) fn section(bert: &BertNormalizer) -> Result<Vec<u8>> {
    let reference = Reference::new(bert);
    let mut ascii = Vec::with_capacity(128);
    for character in '\0'..='\x7F' {
        ascii.push(ascii_outcome(&reference.outcome(character)?, character)?);
    }
    let mut pool = Pool::default();
    let (mut block_of, mut actions) = (Vec::with_capacity(BLOCKS), Vec::new());
    let mut known_blocks: HashMap<Vec<u16>, u16> = HashMap::new();
    for block in 0..BLOCKS {
        let block = block_actions(&reference, &mut pool, block)?;
        let next = u16::try_from(known_blocks.len())?;
        block_of.push(*known_blocks.entry(block).or_insert_with_key(|block| {
            actions.extend_from_slice(block);
            next
        }));
    }
    let header = [reference.flags, u32::try_from(known_blocks.len())?, u32::try_from(pool.bytes.len())?, 0];
    let mut section: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    section.extend(ascii);
    section.extend(block_of.iter().chain(&actions).flat_map(|half| half.to_le_bytes()));
    section.extend(pool.bytes);
    Ok(section)
}

/// The actions of 128 code points.
fn block_actions(reference: &Reference, pool: &mut Pool, block: usize) -> Result<Vec<u16>> {
    let codes = (block * BLOCK) as u32..((block + 1) * BLOCK) as u32;
    // Surrogates are no characters, and ASCII has its own table: `None`.
    let characters = codes.map(|code| char::from_u32(code).filter(|character| !character.is_ascii()));
    let text: String = characters.clone().flatten().collect();
    // Most of Unicode is letters that nothing changes; asking once for them all saves most of the time.
    if text.is_empty() || reference.keeps(&text)? {
        return Ok(vec![KEEP; BLOCK]);
    }
    let mut action = |character| pool.action(character, reference.outcome(character)?);
    characters.map(|character| character.map_or(Ok(KEEP), &mut action)).collect()
}

/// What a character of the decomposed text is to the words of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Letter,
    Isolated,
    Space,
    Dropped,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Element {
    kind: Kind,
    class: u8,
    character: char,
}

/// What a character becomes: `None` if the cleaning removes it.
type Outcome = Option<Vec<Element>>;

/// The reference's steps, each alone.
struct Reference {
    flags: u32,
    clean_text: BertNormalizer,
    handle_chinese_chars: BertNormalizer,
    strip_accents: BertNormalizer,
    lower_case: BertNormalizer,
}

impl Reference {
    fn new(bert: &BertNormalizer) -> Self {
        let strip_accents = bert.strip_accents.unwrap_or(bert.lowercase);
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        Self {
            flags: flag(bert.clean_text, flags::CLEAN_TEXT)
                | flag(bert.handle_chinese_chars, flags::HANDLE_CHINESE_CHARS)
                | flag(strip_accents, flags::STRIP_ACCENTS)
                | flag(bert.lowercase, flags::LOWER_CASE),
            clean_text: BertNormalizer::new(bert.clean_text, false, Some(false), false),
            handle_chinese_chars: BertNormalizer::new(false, bert.handle_chinese_chars, Some(false), false),
            strip_accents: BertNormalizer::new(false, false, Some(strip_accents), false),
            lower_case: BertNormalizer::new(false, false, Some(false), bert.lowercase),
        }
    }

    /// Whether every character of the text is a starter and a letter that stays as it is.
    fn keeps(&self, text: &str) -> Result<bool> {
        let steps = [&self.clean_text, &self.handle_chinese_chars, &self.strip_accents, &self.lower_case];
        for step in steps {
            if normalize(step, text)? != text {
                return Ok(false);
            }
        }
        Ok(words(text)? == 1 && text.chars().all(|character| canonical_combining_class(character) == 0))
    }

    fn outcome(&self, character: char) -> Result<Outcome> {
        let Some(character) = normalize(&self.clean_text, &character.to_string())?.chars().next() else {
            return Ok(None);
        };
        let isolated = normalize(&self.handle_chinese_chars, &character.to_string())?.chars().count() > 1;
        let mut decomposed = Vec::new();
        if self.flags & flags::STRIP_ACCENTS != 0 {
            decompose_canonical(character, |c| decomposed.push((c, canonical_combining_class(c))));
        } else {
            decomposed.push((character, 0));
        }
        let mut elements = Vec::new();
        for (character, class) in decomposed {
            let text = character.to_string();
            if normalize(&self.strip_accents, &text)?.is_empty() {
                elements.push(Element { kind: Kind::Dropped, class, character });
                continue;
            }
            for character in normalize(&self.lower_case, &text)?.chars() {
                let kind = match kind(character)? {
                    Kind::Letter if isolated => Kind::Isolated,
                    kind => kind,
                };
                elements.push(Element { kind, class, character });
            }
        }
        // The engine looks for the end of a run of combining characters at the first element only.
        let starts_late = elements.windows(2).any(|pair| pair[0].class != 0 && pair[1].class == 0);
        ensure!(
            !starts_late && elements.len() <= Normalizer::MAX_ELEMENTS && !(isolated && elements.len() > 1),
            "the reference decomposes {character:?} in a way that the engine does not know: {elements:?}"
        );
        Ok(Some(elements))
    }
}

fn normalize(step: &BertNormalizer, text: &str) -> Result<String> {
    let mut text = NormalizedString::from(text);
    step.normalize(&mut text).map_err(|error| anyhow!(error))?;
    Ok(text.get().to_owned())
}

/// What the pre-tokenizer does with a character.
fn kind(character: char) -> Result<Kind> {
    Ok(match words(&format!("a{character}a"))? {
        1 => Kind::Letter,
        2 => Kind::Space,
        _ => Kind::Isolated,
    })
}

/// How many words the pre-tokenizer makes of a text.
fn words(text: &str) -> Result<usize> {
    let mut text = PreTokenizedString::from(text);
    BertPreTokenizer.pre_tokenize(&mut text).map_err(|error| anyhow!(error))?;
    Ok(text.get_splits(OffsetReferential::Original, OffsetType::None).len())
}

fn ascii_outcome(outcome: &Outcome, from: char) -> Result<u8> {
    let byte = |character: char| u8::try_from(character).ok().filter(u8::is_ascii);
    let outcome = match outcome.as_deref() {
        None => Some(ASCII_REMOVE),
        Some([Element { kind: Kind::Space, .. }]) => Some(b' '),
        Some([Element { kind: Kind::Isolated, class: 0, character }]) => {
            byte(*character).map(|byte| byte | ASCII_ISOLATE)
        }
        Some([Element { kind: Kind::Letter, class: 0, character }]) => byte(*character),
        _ => None,
    };
    outcome.ok_or_else(|| anyhow!("the reference changes {from:?} to what is not ASCII"))
}

/// The entries of characters that change.
#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    starts: HashMap<Vec<u8>, usize>,
}

impl Pool {
    fn action(&mut self, from: char, outcome: Outcome) -> Result<u16> {
        let Some(elements) = outcome else { return Ok(REMOVE) };
        if let &[Element { kind, class: 0, character }] = elements.as_slice() {
            match kind {
                Kind::Letter if character == from => return Ok(KEEP),
                Kind::Isolated if character == from => return Ok(ISOLATE),
                Kind::Space => return Ok(SPACE),
                _ => {}
            }
        }
        if elements == jamo(from) {
            return Ok(HANGUL);
        }
        let entry = entry(&elements);
        let start = *self.starts.entry(entry).or_insert_with_key(|entry| {
            let start = self.bytes.len();
            self.bytes.extend(entry);
            start
        });
        u16::try_from(start + usize::from(POOL)).map_err(|_| anyhow!("the pool of the normalizer is full"))
    }
}

/// The bytes of an entry: see [`Normalizer`].
fn entry(elements: &[Element]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let mut utf8 = [0; 4];
        let (kind, text) = match element.kind {
            Kind::Letter => (0, element.character.encode_utf8(&mut utf8).as_bytes()),
            Kind::Isolated => (1, element.character.encode_utf8(&mut utf8).as_bytes()),
            Kind::Space => (2, &[][..]),
            Kind::Dropped => (0, &[][..]),
        };
        let more = index + 1 < elements.len();
        bytes.push(
            text.len() as u8 | (kind << 3) | (u8::from(element.class != 0) << 5) | (u8::from(more) << 7),
        );
        if element.class != 0 {
            bytes.push(element.class);
        }
        bytes.extend_from_slice(text);
    }
    bytes
}

/// What the engine makes of [`HANGUL`]; empty if the character is no syllable.
fn jamo(syllable: char) -> Vec<Element> {
    let Some(index) = u32::from(syllable).checked_sub(0xAC00).filter(|index| *index < 11_172) else {
        return Vec::new();
    };
    let trailing = (index % 28 != 0).then_some(0x11A7 + index % 28);
    [Some(0x1100 + index / 588), Some(0x1161 + index % 588 / 28), trailing]
        .into_iter()
        .flatten()
        .filter_map(char::from_u32)
        .map(|character| Element { kind: Kind::Letter, class: 0, character })
        .collect()
}
