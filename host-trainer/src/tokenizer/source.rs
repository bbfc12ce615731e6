//! Reading a tokenizer from a Hugging Face model directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Model as _, Tokenizer};

/// The texts of the special tokens that frame an input.
#[derive(Clone, Debug)]
pub struct SpecialNames {
    /// Begins an input.
    pub cls: String,
    /// Ends a question and a passage.
    pub sep: String,
    /// Fills an input up.
    pub pad: String,
    /// Hides a word.
    pub mask: String,
}

/// What `tokenizer_config.json` may say, with the defaults of transformers' `BertTokenizer`.
#[derive(Deserialize)]
#[serde(default)]
struct Config {
    do_lower_case: bool,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
    unk_token: TokenName,
    cls_token: TokenName,
    sep_token: TokenName,
    pad_token: TokenName,
    mask_token: TokenName,
}

impl Default for Config {
    fn default() -> Self {
        let name = |name: &str| TokenName(name.to_owned());
        Self {
            do_lower_case: true,
            strip_accents: None,
            tokenize_chinese_chars: true,
            unk_token: name("[UNK]"),
            cls_token: name("[CLS]"),
            sep_token: name("[SEP]"),
            pad_token: name("[PAD]"),
            mask_token: name("[MASK]"),
        }
    }
}

/// The text of a special token.
#[derive(Deserialize)]
#[serde(from = "TokenForm")]
struct TokenName(String);

/// The forms that a special token has in the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum TokenForm {
    Text(String),
    Object { content: String },
}

impl From<TokenForm> for TokenName {
    fn from(form: TokenForm) -> Self {
        match form {
            TokenForm::Text(text) | TokenForm::Object { content: text } => Self(text),
        }
    }
}

/// The tokenizer of a model directory as the reference implementation reads it, without truncation and padding;
/// the names of its special tokens; and the file that it was read from.
///
/// # Errors
///
/// Neither `tokenizer.json` nor `vocab.txt` is there, or a file is malformed.
pub fn read_tokenizer(directory: &Path) -> Result<(Tokenizer, SpecialNames, PathBuf)> {
    let config = read_config(&directory.join("tokenizer_config.json"))?;
    let (json, vocab) = (directory.join("tokenizer.json"), directory.join("vocab.txt"));
    let (mut tokenizer, file) = if json.exists() {
        let tokenizer = Tokenizer::from_file(&json)
            .map_err(|error| anyhow!("{}: {error}; export the tokenizer again", json.display()))?;
        (tokenizer, json)
    } else if vocab.exists() {
        (from_vocab(&vocab, &config)?, vocab)
    } else {
        return Err(anyhow!(
            "{}: no tokenizer.json and no vocab.txt; name a Hugging Face model directory",
            directory.display()
        ));
    };
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    let names = SpecialNames {
        cls: config.cls_token.0,
        sep: config.sep_token.0,
        pad: config.pad_token.0,
        mask: config.mask_token.0,
    };
    Ok((tokenizer, names, file))
}

fn read_config(file: &Path) -> Result<Config> {
    if !file.exists() {
        return Ok(Config::default());
    }
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text)
        .map_err(|error| anyhow!("{}: {error}; mend or remove the file", file.display()))
}

fn from_vocab(file: &Path, config: &Config) -> Result<Tokenizer> {
    let failed = |error| anyhow!("{}: {error}", file.display());
    let Config { unk_token, cls_token, sep_token, pad_token, mask_token, .. } = config;
    let model = WordPiece::from_file(&file.to_string_lossy())
        .unk_token(unk_token.0.clone())
        .build()
        .map_err(failed)?;
    let special = [unk_token, sep_token, pad_token, cls_token, mask_token].map(|token| token.0.clone());
    // Adding a token that is missing would give it an id that the model has no embedding for.
    if let Some(missing) = special.iter().find(|token| model.token_to_id(token).is_none()) {
        return Err(anyhow!(
            "{}: no {missing:?}; copy the file from the base model or name the token in tokenizer_config.json",
            file.display()
        ));
    }
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(BertNormalizer::new(
        true,
        config.tokenize_chinese_chars,
        config.strip_accents,
        config.do_lower_case,
    )));
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.add_special_tokens(&special.map(|token| AddedToken::from(token, true)));
    Ok(tokenizer)
}
