//! The tokenizer of a Hugging Face directory.

mod settings;
mod source;

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use crate::config::Config;
pub use source::{SpecialNames, read_tokenizer, read_tokenizer_json};

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

impl Tokenizer {
    /// Reads the tokenizer of a model directory; see [`read_tokenizer`].
    ///
    /// # Errors
    /// As for [`read_tokenizer`], or a vocabulary without a token that frames a window.
    pub fn read(directory: &Path) -> Result<Self> {
        let (inner, names, file) = read_tokenizer(directory)?;
        let special = |token: &str| {
            inner.token_to_id(token).with_context(|| {
                format!(
                    "{}: the vocabulary has no {token:?}; add it or name the token in tokenizer_config.json",
                    file.display()
                )
            })
        };
        let (cls, sep, pad) = (special(&names.cls)?, special(&names.sep)?, special(&names.pad)?);
        Ok(Tokenizer { inner, cls, sep, pad })
    }

    /// As [`check_vocabulary`].
    ///
    /// # Errors
    /// As for [`check_vocabulary`].
    pub fn check(&self, config: &Config) -> Result<()> {
        check_vocabulary(&self.inner, config)
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

/// Checks that the network has an embedding for every id.
///
/// # Errors
/// A vocabulary larger than the network's.
pub fn check_vocabulary(tokenizer: &tokenizers::Tokenizer, config: &Config) -> Result<()> {
    let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |highest| highest as usize + 1);
    ensure!(
        size <= config.vocab_size,
        "the tokenizer has {size} entries, the network {}; take both from the same model",
        config.vocab_size
    );
    Ok(())
}
