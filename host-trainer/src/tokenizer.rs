//! The tokenizer of a Hugging Face directory.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use crate::config::Config;

/// A WordPiece tokenizer and the ids that frame a question and a passage.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// `[CLS]`.
    pub cls: u32,
    /// `[SEP]`.
    pub sep: u32,
    /// `[PAD]`.
    pub pad: u32,
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// First byte and one past the last byte of each token in the text.
    pub offsets: Vec<[u32; 2]>,
}

/// The fields of `tokenizer_config.json` that matter beside a bare `vocab.txt`.
#[derive(Deserialize)]
struct TokenizerConfig {
    #[serde(default = "yes")]
    do_lower_case: bool,
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default = "yes")]
    tokenize_chinese_chars: bool,
}

fn yes() -> bool {
    true
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or else `vocab.txt` with `tokenizer_config.json`. Truncation and padding
    /// that the file may carry are switched off: windows are cut here.
    ///
    /// # Errors
    /// Files that are missing or cannot be understood, or a vocabulary without `[CLS]`, `[SEP]` or `[PAD]`.
    pub fn read(directory: &Path) -> Result<Self> {
        let json = directory.join("tokenizer.json");
        let vocab = directory.join("vocab.txt");
        let (path, mut inner) = if json.exists() {
            let inner = tokenizers::Tokenizer::from_file(&json)
                .map_err(|e| anyhow!("{}: not a tokenizer: {e}", json.display()))?;
            (json, inner)
        } else if vocab.exists() {
            let inner = from_vocab(directory, &vocab)?;
            (vocab, inner)
        } else {
            bail!(
                "{}: no tokenizer.json and no vocab.txt; copy them from the base model",
                directory.display()
            );
        };
        inner.with_truncation(None).map_err(|e| anyhow!("{}: {e}", path.display()))?;
        inner.with_padding(None);
        let special = |token: &str| {
            inner
                .token_to_id(token)
                .with_context(|| format!("{}: the vocabulary has no {token}", path.display()))
        };
        let (cls, sep, pad) = (special("[CLS]")?, special("[SEP]")?, special("[PAD]")?);
        Ok(Tokenizer { inner, cls, sep, pad })
    }

    /// Checks that the network has a row for every id.
    ///
    /// # Errors
    /// A vocabulary larger than the network's.
    pub fn check(&self, config: &Config) -> Result<()> {
        let size = self.inner.get_vocab_size(true);
        ensure!(
            size <= config.vocab_size,
            "the tokenizer has {size} entries, the network {}; take both from the same model",
            config.vocab_size
        );
        Ok(())
    }

    /// The tokens of `text`, without `[CLS]` and `[SEP]`.
    ///
    /// # Errors
    /// What the tokenizer reports.
    pub fn tokens(&self, text: &str) -> Result<Tokens> {
        let encoding = self.inner.encode(text, false).map_err(|e| anyhow!("cannot tokenize: {e}"))?;
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| [start as u32, end as u32]);
        Ok(Tokens { ids: encoding.get_ids().to_vec(), offsets: offsets.collect() })
    }
}

fn from_vocab(directory: &Path, vocab: &Path) -> Result<tokenizers::Tokenizer> {
    let path = directory.join("tokenizer_config.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".into());
    let config: TokenizerConfig = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let words = WordPiece::from_file(&vocab.to_string_lossy())
        .unk_token("[UNK]".into())
        .build()
        .map_err(|e| anyhow!("{}: not a vocabulary: {e}", vocab.display()))?;
    let mut tokenizer = tokenizers::Tokenizer::new(words);
    tokenizer.with_normalizer(Some(BertNormalizer::new(
        true,
        config.tokenize_chinese_chars,
        config.strip_accents,
        config.do_lower_case,
    )));
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(tokenizer)
}
