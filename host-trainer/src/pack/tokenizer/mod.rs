//! The tokenizer's sections of a packed file, made from a Hugging Face model directory.

mod index;
mod normalizer;
mod vocabulary;

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use blockspan_engine::tokenizer::{Normalizer, SpecialIds, Tokenizer, Vocabulary, WordPieceIndex};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{Model as _, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use crate::tokenizer::{SpecialNames, read_tokenizer};

/// What the engine's tokenizer is made of, in the bytes of the packed file.
pub struct TokenizerSections {
    /// See [`Vocabulary`].
    pub vocabulary: Vec<u8>,
    /// See [`WordPieceIndex`].
    pub index: Vec<u8>,
    /// See [`Normalizer`].
    pub normalizer: Vec<u8>,
    /// The tokens that the engine puts into the input.
    pub special: SpecialIds,
}

impl TokenizerSections {
    /// Reads `tokenizer.json`, or else `vocab.txt`, both with the `tokenizer_config.json` beside it if there is
    /// one.
    ///
    /// # Errors
    ///
    /// A file is missing or malformed, or the tokenizer is not BERT's.
    pub fn from_directory(directory: &Path) -> Result<Self> {
        let (tokenizer, names, file) = read_tokenizer(directory)?;
        Self::from_tokenizer(&tokenizer, &names).with_context(|| file.display().to_string())
    }

    /// Makes the sections of a BERT tokenizer.
    ///
    /// # Errors
    ///
    /// The tokenizer is of another kind, or does what the engine cannot do.
    pub fn from_tokenizer(tokenizer: &tokenizers::Tokenizer, names: &SpecialNames) -> Result<Self> {
        let Some(NormalizerWrapper::BertNormalizer(bert)) = tokenizer.get_normalizer() else {
            return Err(unsupported("its normalizer is not BertNormalizer"));
        };
        let Some(PreTokenizerWrapper::BertPreTokenizer(_)) = tokenizer.get_pre_tokenizer() else {
            return Err(unsupported("its pre-tokenizer is not BertPreTokenizer"));
        };
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
            return Err(unsupported("its model is not WordPiece"));
        };
        if model.continuing_subword_prefix != "##" {
            return Err(unsupported("its continuing_subword_prefix is not \"##\""));
        }
        let special = special_ids(tokenizer, model, names)?;
        let sections = Self {
            vocabulary: vocabulary::section(tokenizer)?,
            index: index::section(tokenizer, model.max_input_chars_per_word)?,
            normalizer: normalizer::section(bert)?,
            special,
        };
        sections.tokenizer()?;
        Ok(sections)
    }

    /// The engine's tokenizer over these sections.
    ///
    /// # Errors
    ///
    /// The engine refuses them.
    pub fn tokenizer(&self) -> Result<Tokenizer<'_>> {
        let refused = |section: &'static str| move |reason| anyhow!("the {section} {reason}");
        let vocabulary = Vocabulary::parse(&self.vocabulary).map_err(refused("vocabulary"))?;
        let index = WordPieceIndex::parse(&self.index).map_err(refused("WordPiece index"))?;
        let normalizer = Normalizer::parse(&self.normalizer).map_err(refused("normalizer"))?;
        Tokenizer::new(vocabulary, index, normalizer, self.special).map_err(|reason| anyhow!(reason))
    }
}

fn unsupported(what: &str) -> anyhow::Error {
    anyhow!("{what}; only BERT's WordPiece tokenizer can be packed, so use a BERT checkpoint")
}

fn special_ids(
    tokenizer: &tokenizers::Tokenizer,
    model: &WordPiece,
    names: &SpecialNames,
) -> Result<SpecialIds> {
    let id = |token: &str| {
        tokenizer.token_to_id(token).with_context(|| {
            format!("the vocabulary has no {token:?}; add it or name the token in tokenizer_config.json")
        })
    };
    let unk = model.token_to_id(&model.unk_token).with_context(|| {
        format!("its unk_token {:?} is not in the vocabulary; export the tokenizer again", model.unk_token)
    })?;
    Ok(SpecialIds {
        unk,
        cls: id(&names.cls)?,
        sep: id(&names.sep)?,
        pad: id(&names.pad)?,
        // The engine never puts it into an input; a model without one still needs an id in its place.
        mask: names.mask.as_deref().map_or(Ok(unk), id)?,
    })
}
