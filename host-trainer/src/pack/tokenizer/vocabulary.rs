//! The section of the tokens' texts.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail, ensure};
use blockspan_engine::tokenizer::{MAX_SPECIAL_TOKENS, MAX_TOKENS};
use tokenizers::Tokenizer;

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
        let ways = [
            (token.normalized, "normalized"),
            (token.single_word, "single_word"),
            (token.lstrip, "lstrip"),
            (token.rstrip, "rstrip"),
        ];
        if let Some((_, way)) = ways.into_iter().find(|(is_set, _)| *is_set) {
            bail!(
                "its added token {:?} is {way} (stripped or looked for in the normalized text); the engine looks for \
                 added tokens in the text as it stands, so list it with \"{way}\": false in added_tokens_decoder of \
                 tokenizer_config.json or in added_tokens of tokenizer.json (added_tokens.json cannot say that), or \
                 remove it, and train with that",
                token.content
            );
        }
    }
    let shown: Vec<&str> = added.values().take(4).map(|token| token.content.as_str()).collect();
    ensure!(
        added.len() <= MAX_SPECIAL_TOKENS,
        "it has {} added tokens ({} …); the engine looks for at most {MAX_SPECIAL_TOKENS} in a text, so remove those \
         that no text holds from added_tokens in tokenizer.json, or added_tokens_decoder in tokenizer_config.json \
         (tokens of the vocabulary keep their ids)",
        added.len(),
        shown.join(" ")
    );
    Ok(added.into_keys().collect())
}
