//! What the files beside a vocabulary say about a tokenizer: `tokenizer_config.json`, `special_tokens_map.json`,
//! `added_tokens.json`, read as transformers 5 reads them (`PreTrainedTokenizerBase._from_pretrained`).

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use tokenizers::AddedToken;

use crate::files::Object;

/// Tokenizers that are BERT's under another name, without `Fast`.
const BERT: [&str; 5] =
    ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer"];

/// Tokenizers that do what `tokenizer.json` says and nothing else.
const AS_THE_FILE_SAYS: [&str; 2] = ["PreTrainedTokenizerFast", "TokenizersBackend"];

/// Who decides how a text is normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `tokenizer_config.json`: transformers builds BERT's tokenizer from its flags.
    Bert,
    /// `tokenizer.json`.
    AsTheFileSays,
}

/// The settings of a model directory.
pub(super) struct Settings {
    /// `tokenizer_config.json`.
    pub(super) config: Object,
    pub(super) class: Class,
    pub(super) unk: Special,
    pub(super) cls: Special,
    pub(super) sep: Special,
    pub(super) pad: Special,
    pub(super) mask: Special,
    /// Further tokens that are looked for in the raw text.
    pub(super) extra: Vec<String>,
    /// Tokens with their ids that the vocabulary may lack.
    pub(super) added: Added,
}

/// A special token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Special {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// Its text; `None` where the file says that there is none.
    pub(super) text: Option<String>,
    /// Whether a file says it; else it is BERT's.
    pub(super) stated: bool,
}

/// Added tokens in the order of their ids, and the file that lists them.
pub(super) struct Added {
    pub(super) file: PathBuf,
    pub(super) tokens: Vec<(u32, AddedToken)>,
    /// Whether the list is `added_tokens_decoder`, which goes before that of `tokenizer.json`.
    pub(super) decides: bool,
}

impl Settings {
    /// Reads the files that are there.
    ///
    /// # Errors
    /// A file that cannot be read, or a tokenizer of another kind than BERT's; the message names file and field.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let config = Object::read_if_there(
            directory.join("tokenizer_config.json"),
            "the configuration of a tokenizer; mend or remove the file",
        )?;
        let class = class(directory, &config)?;
        // transformers reads the older file only where the newer list is missing.
        let newer = config.get("added_tokens_decoder").is_some();
        let map_file = directory.join(if newer { "no file" } else { "special_tokens_map.json" });
        let map = Object::read_if_there(map_file, "a map of special tokens; mend or remove the file")?;
        let special = |name: &'static str, bert: &str| -> Result<Special> {
            let file = if map.get(name).is_some() { &map } else { &config };
            let stated = file.says(name);
            let text = match file.get(name) {
                Some(value) => Some(token_text(file, name, value)?),
                None if stated => None,
                None => Some(bert.to_owned()),
            };
            Ok(Special { name, text, stated })
        };
        let (unk, mask) = (special("unk_token", "[UNK]")?, special("mask_token", "[MASK]")?);
        let cls = special("cls_token", "[CLS]")?;
        let (sep, pad) = (special("sep_token", "[SEP]")?, special("pad_token", "[PAD]")?);
        let mut extra = Vec::new();
        for file in [&config, &map] {
            extra.extend(extra_tokens(file)?);
        }
        let named: Vec<&String> =
            [&unk, &cls, &sep, &pad, &mask].into_iter().filter_map(|special| special.text.as_ref()).collect();
        let added = match config.get("added_tokens_decoder") {
            Some(_) => decoder(&config)?,
            None => encoder(directory, |text| named.contains(&text) || extra.contains(text))?,
        };
        Ok(Settings { class, unk, cls, sep, pad, mask, extra, added, config })
    }
}

/// Who decides, or a refusal of tokenizers that cut a text in a way of their own.
fn class(directory: &Path, config: &Object) -> Result<Class> {
    let names_code =
        |map: &&Value| map.is_array() || map.get("AutoTokenizer").is_some_and(|own| !own.is_null());
    if let Some(own) = config.get("auto_map").filter(names_code) {
        bail!(
            "{}: auto_map is {own}: the tokenizer is code of the model's own, which is not run; use a BERT checkpoint",
            config.path().display()
        );
    }
    for (name, bert) in [("word_tokenizer_type", "basic"), ("subword_tokenizer_type", "wordpiece")] {
        if let Some(kind) = config.text(name)?.filter(|kind| *kind != bert) {
            bail!(
                "{}: {name} is {kind:?}; only {bert:?}, which is BERT's own, is supported, so use a BERT checkpoint",
                config.path().display()
            );
        }
    }
    let network = Object::read_if_there(directory.join("config.json"), "the configuration of a BERT model")?;
    let file = if config.get("tokenizer_class").is_some() { config } else { &network };
    let Some(class) = file.text("tokenizer_class")? else { return Ok(Class::Bert) };
    if AS_THE_FILE_SAYS.contains(&class) {
        return Ok(Class::AsTheFileSays);
    }
    ensure!(
        BERT.contains(&class.trim_end_matches("Fast")),
        "{}: tokenizer_class is {class:?}; only BertTokenizer is supported, so use a BERT checkpoint, or write \
         \"PreTrainedTokenizerFast\" if tokenizer.json alone says how a text is cut",
        file.path().display()
    );
    Ok(Class::Bert)
}

/// The text of a special token, which a file holds alone or as the `content` of an object.
fn token_text(file: &Object, name: &str, value: &Value) -> Result<String> {
    let text = value.as_str().or_else(|| value.get("content")?.as_str());
    text.map(str::to_owned).ok_or_else(|| file.wrong(name, "a text, or an object with a text as its content"))
}

/// The tokens under the two names that transformers has for further special tokens.
fn extra_tokens(file: &Object) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    for name in ["additional_special_tokens", "extra_special_tokens"] {
        let values: Vec<&Value> = match file.get(name) {
            None => continue,
            Some(Value::Array(values)) => values.iter().collect(),
            Some(Value::Object(values)) => values.values().collect(),
            Some(_) => return Err(file.wrong(name, "a list of tokens")),
        };
        for value in values {
            tokens.push(token_text(file, name, value)?);
        }
    }
    Ok(tokens)
}

/// `added_tokens_decoder` of `tokenizer_config.json`: tokens by id.
fn decoder(config: &Object) -> Result<Added> {
    const NAME: &str = "added_tokens_decoder";
    let wrong = || {
        config.wrong(NAME, "an object of tokens by their ids, such as {\"100\": {\"content\": \"[UNK]\"}}")
    };
    let Some(Value::Object(list)) = config.get(NAME) else { return Err(wrong()) };
    let mut tokens = Vec::new();
    for (id, token) in list {
        let id: u32 = id.parse().map_err(|_| wrong())?;
        let content = token.get("content").and_then(Value::as_str).ok_or_else(wrong)?;
        let flag = |name: &str| token.get(name).and_then(Value::as_bool);
        let special = flag("special").unwrap_or(false);
        let token = AddedToken::from(content, special)
            .single_word(flag("single_word").unwrap_or(false))
            .lstrip(flag("lstrip").unwrap_or(false))
            .rstrip(flag("rstrip").unwrap_or(false))
            .normalized(flag("normalized").unwrap_or(!special));
        tokens.push((id, token));
    }
    tokens.sort_by_key(|(id, _)| *id);
    Ok(Added { file: config.path().to_owned(), tokens, decides: true })
}

/// `added_tokens.json`: ids by token.
fn encoder(directory: &Path, is_special: impl Fn(&String) -> bool) -> Result<Added> {
    let file = Object::read_if_there(
        directory.join("added_tokens.json"),
        "a list of added tokens; mend or remove the file",
    )?;
    let mut tokens = Vec::new();
    for text in file.fields().keys() {
        let id = file.count(text)?.and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| file.wrong(text, "the token's id"))?;
        tokens.push((id, AddedToken::from(text.clone(), is_special(text))));
    }
    tokens.sort_by_key(|(id, _)| *id);
    Ok(Added { file: file.path().to_owned(), tokens, decides: false })
}
