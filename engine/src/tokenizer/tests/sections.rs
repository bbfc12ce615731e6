//! Sections for the tests, made by hand.

use std::vec;
use std::vec::Vec;

use crate::tokenizer::*;

/// What the tests say about a character that is not ASCII.
pub enum Change {
    Action(u16),
    /// Elements: kind, combining class, text.
    Entry(&'static [(u8, u8, &'static str)]),
}

/// The parts of a tokenizer.
pub struct Sections {
    pub vocabulary: Vec<u8>,
    pub index: Vec<u8>,
    pub normalizer: Vec<u8>,
    pub special: SpecialIds,
}

impl Sections {
    /// The first five tokens are `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`; all are looked for in text.
    pub fn new(tokens: &[&str], changes: &[(char, Change)]) -> Self {
        let all: Vec<&str> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            .into_iter()
            .chain(tokens.iter().copied())
            .collect();
        Self {
            vocabulary: vocabulary(&all),
            index: index(&all),
            normalizer: normalizer(changes),
            special: SpecialIds { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 },
        }
    }

    pub fn tokenizer(&self) -> Result<Tokenizer<'_>, &'static str> {
        Tokenizer::new(
            Vocabulary::parse(&self.vocabulary)?,
            WordPieceIndex::parse(&self.index)?,
            Normalizer::parse(&self.normalizer)?,
            self.special,
        )
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}

fn vocabulary(tokens: &[&str]) -> Vec<u8> {
    let texts = tokens.concat();
    let mut section = words(&[tokens.len() as u32, texts.len() as u32, 5, 0, 0]);
    let mut end = 0;
    for token in tokens {
        end += token.len() as u32;
        section.extend(words(&[end]));
    }
    section.extend(words(&[0, 1, 2, 3, 4]));
    section.extend(texts.bytes());
    section
}

/// So many slots that no two tokens meet, whatever the seed.
fn index(tokens: &[&str]) -> Vec<u8> {
    let place = |slots: usize| {
        let mut placed = vec![EMPTY_SLOT; slots];
        for (id, token) in tokens.iter().enumerate() {
            let (piece, continuation) = piece_of(token);
            let (slot, fingerprint) = PieceHash::of(piece, continuation).slot(0, slots);
            if placed[slot] != EMPTY_SLOT {
                return None;
            }
            placed[slot] = slot_value(fingerprint, id as u32);
        }
        Some(placed)
    };
    let slots = (tokens.len()..).find_map(place).unwrap();
    let longest = tokens.iter().map(|token| token.len()).max().unwrap();
    let mut section = words(&[tokens.len() as u32, slots.len() as u32, 2]);
    section.extend(halves(&[100, longest as u16]));
    section.extend(words(&slots));
    section.extend(halves(&[0, 0]));
    section
}

/// ASCII as an uncased model has it; all else stays but for `changes`.
fn normalizer(changes: &[(char, Change)]) -> Vec<u8> {
    let mut pool = Vec::new();
    let mut blocks = vec![[KEEP; BLOCK]];
    let mut block_of = vec![0u16; BLOCKS];
    for (character, change) in changes {
        let action = match change {
            Change::Action(action) => *action,
            Change::Entry(elements) => {
                let action = POOL + pool.len() as u16;
                for (index, (kind, class, text)) in elements.iter().enumerate() {
                    let more = u8::from(index + 1 < elements.len());
                    let has_class = u8::from(*class != 0);
                    pool.push(text.len() as u8 | (kind << 3) | (has_class << 5) | (more << 7));
                    pool.extend((*class != 0).then_some(*class));
                    pool.extend(text.bytes());
                }
                action
            }
        };
        let code = *character as usize;
        if block_of[code / BLOCK] == 0 {
            block_of[code / BLOCK] = blocks.len() as u16;
            blocks.push([KEEP; BLOCK]);
        }
        blocks[block_of[code / BLOCK] as usize][code % BLOCK] = action;
    }
    let mut section = words(&[0, blocks.len() as u32, pool.len() as u32, 0]);
    section.extend((0u8..128).map(|byte| match byte {
        b'\t' | b'\n' | b'\r' | b' ' => b' ',
        _ if byte.is_ascii_control() => ASCII_REMOVE,
        _ if byte.is_ascii_punctuation() => ASCII_ISOLATE | byte,
        _ => byte.to_ascii_lowercase(),
    }));
    section.extend(halves(&block_of));
    section.extend(blocks.iter().flat_map(|block| halves(block)));
    section.extend(pool);
    section
}
