//! The perfect hash over the vocabulary.
//!
//! The pieces are dealt to buckets of about four; starting with the largest bucket, the first seed is taken that
//! puts the pieces of the bucket into slots that are free and differ ("hash, displace"; Fox, Heath, Chen and
//! Daoud, 1992).

use core::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use blockspan_engine::tokenizer::{EMPTY_SLOT, MAX_CHARS_PER_WORD, PieceHash, piece_of, slot_value};
use tokenizers::Tokenizer;

use super::vocabulary;

/// Pieces to a bucket.
const BUCKET: usize = 4;

/// See [`blockspan_engine::tokenizer::WordPieceIndex`] for the bytes.
pub(super) fn section(tokenizer: &Tokenizer, max_chars_per_word: usize) -> Result<Vec<u8>> {
    ensure!(
        (1..=MAX_CHARS_PER_WORD).contains(&max_chars_per_word),
        "its max_input_chars_per_word is {max_chars_per_word}; the engine takes 1 to {MAX_CHARS_PER_WORD}"
    );
    // Tokens that were only added to the vocabulary are never part of a word.
    let tokens: BTreeMap<String, u32> =
        tokenizer.get_vocab(false).into_iter().filter(|(token, _)| !token.is_empty()).collect();
    let max_piece_bytes = tokens.keys().map(|token| piece_of(token).0.len()).max().unwrap_or(0);
    // No word is longer than this, so that longer tokens never match.
    let max_piece_bytes = u16::try_from(max_piece_bytes.min(4 * MAX_CHARS_PER_WORD))?;
    let pieces: Vec<(PieceHash, u32)> = tokens
        .iter()
        .map(|(token, &id)| {
            let (piece, continuation) = piece_of(token);
            (PieceHash::of(piece, continuation), id)
        })
        .collect();
    let (slots, seeds) = place(&pieces)?;

    let words = [vocabulary::size(tokenizer)?, u32::try_from(slots.len())?, u32::try_from(seeds.len())?];
    let mut section: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    section.extend(u16::try_from(max_chars_per_word)?.to_le_bytes());
    section.extend(max_piece_bytes.to_le_bytes());
    section.extend(slots.iter().flat_map(|slot| slot.to_le_bytes()));
    section.extend(seeds.iter().flat_map(|seed| seed.to_le_bytes()));
    Ok(section)
}

/// The slots and the buckets' seeds.
fn place(pieces: &[(PieceHash, u32)]) -> Result<(Vec<u32>, Vec<u16>)> {
    // A few slots stay free, so that the last buckets find one soon.
    let mut slots = vec![EMPTY_SLOT; pieces.len() + pieces.len() / 24 + 1];
    let mut seeds = vec![0u16; pieces.len().div_ceil(BUCKET).max(1)];
    let mut buckets = vec![Vec::new(); seeds.len()];
    for &(hash, id) in pieces {
        buckets[hash.bucket(seeds.len())].push((hash, id));
    }
    let mut order: Vec<usize> = (0..buckets.len()).collect();
    order.sort_by_key(|&bucket| Reverse(buckets[bucket].len()));
    for bucket in order {
        let (seed, placed) = (0..=u16::MAX)
            .find_map(|seed| Some((seed, place_bucket(&buckets[bucket], seed, &slots)?)))
            .ok_or_else(|| anyhow!("its vocabulary defeats the perfect hash; remove double tokens"))?;
        seeds[bucket] = seed;
        for (slot, value) in placed {
            slots[slot] = value;
        }
    }
    Ok((slots, seeds))
}

/// Where the pieces of a bucket go under a seed, if they all can.
fn place_bucket(pieces: &[(PieceHash, u32)], seed: u16, slots: &[u32]) -> Option<Vec<(usize, u32)>> {
    let mut placed: Vec<(usize, u32)> = Vec::with_capacity(pieces.len());
    for &(hash, id) in pieces {
        let (slot, fingerprint) = hash.slot(seed, slots.len());
        if slots[slot] != EMPTY_SLOT || placed.iter().any(|&(taken, _)| taken == slot) {
            return None;
        }
        placed.push((slot, slot_value(fingerprint, id)));
    }
    Some(placed)
}
