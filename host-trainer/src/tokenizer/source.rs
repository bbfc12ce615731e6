//! Reading a tokenizer from a Hugging Face model directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper, Tokenizer};

use super::settings::{Class, Settings, Special};
use crate::files;
use crate::notes::note;

/// The texts of the special tokens that frame an input.
#[derive(Clone, Debug)]
pub struct SpecialNames {
    /// Begins an input.
    pub cls: String,
    /// Ends a question and a passage.
    pub sep: String,
    /// Fills an input up.
    pub pad: String,
    /// Hides a word; many fine-tuned models have none.
    pub mask: Option<String>,
}

/// The tokenizer of a model directory as transformers' `BertTokenizer` reads it, without truncation and padding; the
/// names of its special tokens; and the file that its vocabulary was read from.
///
/// The vocabulary is that of `tokenizer.json`, or else of `vocab.txt`. The flags `do_lower_case`, `strip_accents` and
/// `tokenize_chinese_chars`, the special tokens and `added_tokens_decoder` are those of `tokenizer_config.json`; where
/// `tokenizer.json` says otherwise, a note tells of it. With the `tokenizer_class` `PreTrainedTokenizerFast`,
/// `tokenizer.json` decides alone.
///
/// # Errors
///
/// Neither `tokenizer.json` nor `vocab.txt` is there, a file is malformed, the tokenizer is of another class than
/// BERT's, or two files disagree and none decides.
pub fn read_tokenizer(directory: &Path) -> Result<(Tokenizer, SpecialNames, PathBuf)> {
    let settings = Settings::read(directory)?;
    let (json, vocab) = (directory.join("tokenizer.json"), directory.join("vocab.txt"));
    let (mut tokenizer, file) = if json.exists() {
        let mut tokenizer = parse(&json)?;
        if settings.class == Class::Bert {
            decide_normalizer(&mut tokenizer, &settings, &json)?;
            decide_unknown(&mut tokenizer, &settings, &json)?;
        }
        (tokenizer, json)
    } else if vocab.exists() {
        ensure!(
            settings.class == Class::Bert,
            "{}: tokenizer_class names tokenizer.json, but there is only {}; fetch tokenizer.json, or write \
             \"BertTokenizer\"",
            settings.config.path().display(),
            vocab.display()
        );
        (from_vocab(&vocab, &settings)?, vocab)
    } else {
        return Err(anyhow!(
            "{}: no tokenizer.json and no vocab.txt; name a Hugging Face model directory",
            directory.display()
        ));
    };
    add_listed(&mut tokenizer, &settings, &file)?;
    let names = add_special(&mut tokenizer, &settings, &file)?;
    switch_off(&mut tokenizer, &file)?;
    Ok((tokenizer, names, file))
}

/// The tokenizer that `tokenizer.json` describes, if there is one, whatever the files beside it say: without
/// truncation and padding.
///
/// # Errors
/// A malformed file; the message names it.
pub fn read_tokenizer_json(directory: &Path) -> Result<Option<Tokenizer>> {
    let json = directory.join("tokenizer.json");
    if !json.exists() {
        return Ok(None);
    }
    let mut tokenizer = parse(&json)?;
    switch_off(&mut tokenizer, &json)?;
    Ok(Some(tokenizer))
}

fn parse(json: &Path) -> Result<Tokenizer> {
    let text = files::read_text(json)?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        bail!("{}: {error}; export the tokenizer again", json.display());
    }
    // The library's own words would be about its types.
    text.parse().map_err(|_| {
        anyhow!(
            "{}: not a file that the tokenizers library reads; export the tokenizer again",
            json.display()
        )
    })
}

/// Switches truncation and padding off, which a file may ask for.
fn switch_off(tokenizer: &mut Tokenizer, file: &Path) -> Result<()> {
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    Ok(())
}

/// The flags of BERT's normalizer that `tokenizer_config.json` says, or their defaults.
fn normalizer(settings: &Settings) -> Result<BertNormalizer> {
    let flag =
        |name: &str, default: bool| Ok::<_, anyhow::Error>(settings.config.flag(name)?.unwrap_or(default));
    Ok(BertNormalizer::new(
        true,
        flag("tokenize_chinese_chars", true)?,
        settings.config.flag("strip_accents")?,
        flag("do_lower_case", true)?,
    ))
}

/// Gives the tokenizer of `tokenizer.json` the normalizer of `tokenizer_config.json`, as transformers does. Where the
/// two differ, a stated flag decides and a note tells of it; a default does not.
fn decide_normalizer(tokenizer: &mut Tokenizer, settings: &Settings, json: &Path) -> Result<()> {
    let Some(NormalizerWrapper::BertNormalizer(theirs)) = tokenizer.get_normalizer() else {
        // Another kind, which packing refuses by its name.
        return Ok(());
    };
    let (ours, theirs) = (normalizer(settings)?, *theirs);
    let config = settings.config.path().display();
    // Accents that no file decides go with the case.
    let strips = |normalizer: &BertNormalizer| normalizer.strip_accents.unwrap_or(ours.lowercase);
    for (flag, name, ours, theirs) in [
        ("do_lower_case", "lowercase", ours.lowercase, theirs.lowercase),
        ("strip_accents", "strip_accents", strips(&ours), strips(&theirs)),
        (
            "tokenize_chinese_chars",
            "handle_chinese_chars",
            ours.handle_chinese_chars,
            theirs.handle_chinese_chars,
        ),
    ] {
        if ours == theirs {
            continue;
        }
        ensure!(
            settings.config.says(flag),
            "{}: {name} is {theirs}, but {config} does not say {flag}, and transformers takes it as {ours}; write \
             \"{flag}\": {theirs} into {config}, or {ours} if the model was trained so",
            json.display()
        );
        note(&format!(
            "{config}: {flag} is {ours}, but in {} {name} is {theirs}; tokenizer_config.json decides, as in \
             transformers",
            json.display()
        ));
    }
    ensure!(
        theirs.clean_text,
        "{}: clean_text is false, but transformers' BertTokenizer takes it as true; set it to true, or write \
         \"tokenizer_class\": \"PreTrainedTokenizerFast\" into {config} if the model was trained without",
        json.display()
    );
    tokenizer.with_normalizer(Some(ours));
    Ok(())
}

/// Gives the tokenizer of `tokenizer.json` the unknown token of `tokenizer_config.json`, as transformers does.
fn decide_unknown(tokenizer: &mut Tokenizer, settings: &Settings, json: &Path) -> Result<()> {
    let ModelWrapper::WordPiece(model) = tokenizer.get_model() else { return Ok(()) };
    let (ours, theirs) = (required(&settings.unk, settings)?, model.unk_token.clone());
    if ours == theirs {
        return Ok(());
    }
    let config = settings.config.path().display();
    ensure!(
        settings.unk.stated,
        "{}: unk_token is {theirs:?}, but {config} does not say it, and transformers takes {ours:?}; write it there",
        json.display()
    );
    note(&format!(
        "{config}: unk_token is {ours:?}, but in {} it is {theirs:?}; tokenizer_config.json decides, as in transformers",
        json.display()
    ));
    let mut model = model.clone();
    model.unk_token = ours;
    tokenizer.with_model(model);
    Ok(())
}

fn from_vocab(file: &Path, settings: &Settings) -> Result<Tokenizer> {
    let text = files::read_text(file)?;
    // Blank lines at the end are no tokens.
    let tokens = text.trim_end().lines().map(str::trim_end).zip(0u32..);
    let vocabulary: serde_json::Map<String, Value> =
        tokens.map(|(token, id)| (token.to_owned(), id.into())).collect();
    let unk = required(&settings.unk, settings)?;
    check_known(file, &unk, vocabulary.contains_key(&unk))?;
    let model = json!({
        "type": "WordPiece",
        "unk_token": unk,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": vocabulary,
    });
    // The library reads a model from text only.
    let model: WordPiece =
        serde_json::from_str(&model.to_string()).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(normalizer(settings)?));
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(tokenizer)
}

/// Adds the tokens that `added_tokens_decoder` or `added_tokens.json` lists.
fn add_listed(tokenizer: &mut Tokenizer, settings: &Settings, file: &Path) -> Result<()> {
    let list = &settings.added;
    let known: HashMap<String, AddedToken> = tokenizer
        .get_added_tokens_decoder()
        .into_values()
        .map(|token| (token.content.clone(), token))
        .collect();
    if list.decides {
        let special = [&settings.unk, &settings.cls, &settings.sep, &settings.pad, &settings.mask];
        let mut named: Vec<&String> =
            special.into_iter().filter_map(|special| special.text.as_ref()).collect();
        named.extend(&settings.extra);
        named.extend(list.tokens.iter().map(|(_, token)| &token.content));
        let mut left_out: Vec<&String> = known.keys().filter(|token| !named.contains(token)).collect();
        left_out.sort();
        if let Some(token) = left_out.first() {
            bail!(
                "{}: it adds the token {token:?}, but added_tokens_decoder in {} does not; add it there or remove it",
                file.display(),
                list.file.display()
            );
        }
    }
    for (id, token) in &list.tokens {
        let way = |token: &AddedToken| (token.normalized, token.single_word, token.lstrip, token.rstrip);
        match known.get(&token.content) {
            Some(other) => ensure!(
                !list.decides || way(other) == way(token),
                "{}: the added token {:?} is looked for in another way than {} says (normalized, single_word, lstrip, \
                 rstrip); make them agree",
                file.display(),
                token.content,
                list.file.display()
            ),
            None => add(tokenizer, token.clone()),
        }
        let found = tokenizer.token_to_id(&token.content);
        ensure!(
            found == Some(*id),
            "{}: the added token {:?} has the id {id}, but with the vocabulary of {} it gets {}; number added tokens \
             on from the vocabulary, without a gap",
            list.file.display(),
            token.content,
            file.display(),
            found.map_or("none".to_owned(), |id| id.to_string())
        );
    }
    Ok(())
}

/// Adds the special tokens, which must be in the vocabulary: another id would have no embedding.
fn add_special(tokenizer: &mut Tokenizer, settings: &Settings, file: &Path) -> Result<SpecialNames> {
    let mut special = |special: &Special| -> Result<String> {
        let text = required(special, settings)?;
        check_known(file, &text, tokenizer.token_to_id(&text).is_some())?;
        add(tokenizer, AddedToken::from(text.clone(), true));
        Ok(text)
    };
    if settings.class == Class::Bert {
        special(&settings.unk)?;
    }
    let (sep, pad, cls) = (special(&settings.sep)?, special(&settings.pad)?, special(&settings.cls)?);
    let mask = &settings.mask;
    let mask = match &mask.text {
        // Nothing needs it, so that a vocabulary may lack it that no file names it for.
        Some(text) if mask.stated || tokenizer.token_to_id(text).is_some() => {
            check_known(file, text, tokenizer.token_to_id(text).is_some())?;
            add(tokenizer, AddedToken::from(text.clone(), true));
            Some(text.clone())
        }
        _ => None,
    };
    for token in &settings.extra {
        add(tokenizer, AddedToken::from(token.clone(), true));
    }
    Ok(SpecialNames { cls, sep, pad, mask })
}

/// Adds a token unless there is an added one of its text.
fn add(tokenizer: &mut Tokenizer, token: AddedToken) {
    if tokenizer.get_added_tokens_decoder().values().any(|known| known.content == token.content) {
        return;
    }
    if token.special {
        tokenizer.add_special_tokens(&[token]);
    } else {
        tokenizer.add_tokens(&[token]);
    }
}

/// The text of a token that every input needs.
fn required(special: &Special, settings: &Settings) -> Result<String> {
    special.text.clone().with_context(|| {
        format!(
            "{}: {} is null; name a token of the vocabulary",
            settings.config.path().display(),
            special.name
        )
    })
}

fn check_known(file: &Path, token: &str, is_known: bool) -> Result<()> {
    ensure!(
        is_known,
        "{}: no {token:?}; copy the file from the base model or name the token in tokenizer_config.json",
        file.display()
    );
    Ok(())
}
