//! The section of the tokens' texts.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use blockspan_engine::tokenizer::{MAX_SPECIAL_TOKENS, MAX_TOKENS};
use tokenizers::Tokenizer;

use super::unsupported;

/// See [`blockspan_engine::tokenizer::Vocabulary`] for the bytes.
pub(super) fn section(tokenizer: &Tokenizer) -> Result<Vec<u8>> {
    let texts = texts_by_id(tokenizer)?;
    let special = special_tokens(tokenizer)?;
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for text in &texts {
        bytes.extend_from_slice(text.as_bytes());
        offsets.push(u32::try_from(bytes.len())?);
    }
    let header = [u32::try_from(texts.len())?, u32::try_from(bytes.len())?, u32::try_from(special.len())?, 0];
    let words = header.iter().chain(&offsets).chain(&special);
    let mut section: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
    section.extend(bytes);
    Ok(section)
}

/// One more than the highest id.
pub(super) fn size(tokenizer: &Tokenizer) -> Result<u32> {
    let highest = tokenizer.get_vocab(true).into_values().max();
    let highest = highest.ok_or_else(|| anyhow!("its vocabulary is empty; export the tokenizer again"))?;
    ensure!(
        highest < MAX_TOKENS,
        "its vocabulary has an id of {highest}; the engine takes ids below {MAX_TOKENS}, so number the tokens \
         from 0 without gaps"
    );
    Ok(highest + 1)
}

/// The text of each id; an id without a token has an empty one.
fn texts_by_id(tokenizer: &Tokenizer) -> Result<Vec<String>> {
    let mut texts = vec![String::new(); size(tokenizer)? as usize];
    // In the order of their texts, so that an error does not depend on a hash map.
    let tokens: BTreeMap<String, u32> = tokenizer.get_vocab(true).into_iter().collect();
    for (token, id) in tokens {
        let text = &mut texts[id as usize];
        ensure!(
            text.is_empty(),
            "its tokens {text:?} and {token:?} share the id {id}; give each token an id of its own"
        );
        *text = token;
    }
    Ok(texts)
}

/// The ids of the tokens that are looked for in raw text.
fn special_tokens(tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let added: BTreeMap<_, _> = tokenizer.get_added_tokens_decoder().into_iter().collect();
    for token in added.values() {
        if token.normalized || token.single_word || token.lstrip || token.rstrip {
            return Err(unsupported(&format!(
                "its added token {:?} is normalized, a single word or stripped",
                token.content
            )));
        }
    }
    ensure!(
        added.len() <= MAX_SPECIAL_TOKENS,
        "it has {} added tokens; the engine takes {MAX_SPECIAL_TOKENS}, so move the others into the vocabulary",
        added.len()
    );
    Ok(added.into_keys().collect())
}
