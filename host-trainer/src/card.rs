//! What a model directory tells about its model in `card.json`, and a packed file in its metadata. The keys are those of
//! `engine/FORMAT.md`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Number, Value};

use crate::features::WindowOptions;
use crate::output::{is_standard, write_atomically};

/// The file in a model directory.
const FILE: &str = "card.json";

/// The keys that have a meaning, in the order in which they are shown. Others are kept and come after them.
const KEYS: [&str; 14] = [
    BASE,
    TRAINING_DATA,
    SPARSITY,
    PATTERN,
    EXACT_MATCH,
    F1,
    EVALUATED_ON,
    NULL_THRESHOLD,
    ANSWERABLE_SLOPE,
    ANSWERABLE_INTERCEPT,
    LICENSE,
    ATTRIBUTION,
    SOURCE,
    CREATED_BY,
];

/// The pre-trained model that the model descends from.
pub const BASE: &str = "base";
/// Names of the files that it was trained on.
pub const TRAINING_DATA: &str = "training_data";
/// The share of the encoder's weights that are 0.
pub const SPARSITY: &str = "sparsity";
/// The blocks that the zeros form, or `dense`.
pub const PATTERN: &str = "pattern";
/// Exact match in percent.
pub const EXACT_MATCH: &str = "exact_match";
/// F1 in percent.
pub const F1: &str = "f1";
/// What `exact_match` and `f1` were measured on.
pub const EVALUATED_ON: &str = "evaluated_on";
/// The recommended threshold for "no answer".
pub const NULL_THRESHOLD: &str = "null_threshold";
/// Of the logistic function that turns `null_diff` into the probability that there is an answer.
pub const ANSWERABLE_SLOPE: &str = "answerable_slope";
/// See [`ANSWERABLE_SLOPE`].
pub const ANSWERABLE_INTERCEPT: &str = "answerable_intercept";
/// The license of the weights.
pub const LICENSE: &str = "license";
/// Who must be named, and for what.
pub const ATTRIBUTION: &str = "attribution";
/// The model directory that was packed.
pub const SOURCE: &str = "source";
/// The program that packed it, with its version.
pub const CREATED_BY: &str = "created_by";
/// The longest window, in tokens, that the model was trained with. The packed file has it in its header.
pub const MAX_SEQ_LEN: &str = "max_seq_len";
/// The overlap of those windows, in tokens. The packed file has it in its header.
pub const DOC_STRIDE: &str = "doc_stride";

/// What a writer of a packed file measures or is: nobody else may say it.
pub const OF_THE_PACKER: [&str; 3] = [SPARSITY, PATTERN, CREATED_BY];

/// What is true of a model no longer once it is trained further.
const OF_THE_WEIGHTS: [&str; 10] = [
    SPARSITY,
    PATTERN,
    EXACT_MATCH,
    F1,
    EVALUATED_ON,
    NULL_THRESHOLD,
    ANSWERABLE_SLOPE,
    ANSWERABLE_INTERCEPT,
    SOURCE,
    CREATED_BY,
];

/// Texts by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card(BTreeMap<String, String>);

impl Card {
    /// Reads the card of a model directory; an empty one where there is none.
    ///
    /// # Errors
    /// A file that cannot be read or is no card; the message names it.
    pub fn of_directory(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        if path.exists() { Card::read(&path) } else { Ok(Card::default()) }
    }

    /// Reads a card; from standard input where `path` is `-`.
    ///
    /// # Errors
    /// A file that cannot be read or is no card; the message names it.
    pub fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        let read = if is_standard(path) {
            std::io::stdin().read_to_string(&mut text).map(drop)
        } else {
            std::fs::read_to_string(path).map(|read| text = read)
        };
        read.with_context(|| format!("{}: cannot read", path.display()))?;
        Card::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads a JSON object whose values are texts, numbers or lists of texts.
    ///
    /// # Errors
    /// A text of another shape, or a value out of range; the message names the key.
    pub fn parse(text: &str) -> Result<Self> {
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            anyhow::anyhow!(
                "not a model card: {error}; write a JSON object, such as {{\"license\": \"MIT\"}}"
            )
        })?;
        let mut card = Card::default();
        for (key, value) in object {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                Value::Array(list) => {
                    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                    texts.with_context(|| format!("{key}: a list may hold texts only"))?.join(", ")
                }
                Value::Object(_) => bail!("{key}: give a text, a number or a list of texts"),
            };
            card.set(&key, &text)?;
        }
        Ok(card)
    }

    /// The text of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets the text of a key, on one line.
    ///
    /// # Errors
    /// A key that cannot stand at the beginning of a line `key: value`, or a number out of range.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        ensure!(
            !key.is_empty() && key.trim() == key && !key.contains(|c: char| c == ':' || c.is_control()),
            "{key:?} cannot be a key of the metadata: write a word without a colon"
        );
        let value = value.replace(|c: char| c.is_control(), " ").trim().to_owned();
        match key {
            SPARSITY => number(key, &value, 0.0..=1.0, "a share from 0 to 1")?,
            EXACT_MATCH | F1 => number(key, &value, 0.0..=100.0, "a percentage from 0 to 100")?,
            NULL_THRESHOLD | ANSWERABLE_SLOPE | ANSWERABLE_INTERCEPT => {
                number(key, &value, f64::MIN..=f64::MAX, "a number")?
            }
            MAX_SEQ_LEN | DOC_STRIDE => {
                ensure!(value.parse::<u32>().is_ok(), "{key} {value}: give a number of tokens")
            }
            _ => {}
        }
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// Takes over what `other` says, also where `self` says something else.
    pub fn extend(&mut self, other: Card) {
        self.0.extend(other.0);
    }

    /// Keys and values, in the order in which they are shown.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = KEYS.into_iter().filter_map(|key| Some((key, self.get(key)?)));
        let others = self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        known.chain(others.filter(|(key, _)| !KEYS.contains(key)))
    }

    /// The windows that the model was trained with.
    pub fn windows(&self) -> Option<WindowOptions> {
        let tokens = |key| self.get(key)?.parse().ok();
        Some(WindowOptions { max_seq_len: tokens(MAX_SEQ_LEN)?, doc_stride: tokens(DOC_STRIDE)? })
    }

    /// The card of a model that was trained from `base` on these files with these windows.
    ///
    /// # Errors
    /// As for [`Card::of_directory`].
    pub fn of_run(base: &Path, training_data: &[impl AsRef<Path>], windows: WindowOptions) -> Result<Self> {
        let mut card = Card::of_directory(base)?;
        card.0.retain(|key, _| !OF_THE_WEIGHTS.contains(&key.as_str()));
        if card.get(BASE).is_none() {
            card.set(BASE, &model_name(base))?;
        }
        let mut files: Vec<String> = card
            .get(TRAINING_DATA)
            .into_iter()
            .flat_map(|list| list.split(", ").map(str::to_owned))
            .collect();
        for path in training_data {
            let name = file_name(path.as_ref());
            if !files.contains(&name) {
                files.push(name);
            }
        }
        card.set(TRAINING_DATA, &files.join(", "))?;
        card.set(MAX_SEQ_LEN, &windows.max_seq_len.to_string())?;
        card.set(DOC_STRIDE, &windows.doc_stride.to_string())?;
        Ok(card)
    }

    /// Writes the card of a model directory.
    ///
    /// # Errors
    /// A failure to write; the message names the file.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let value = |text: &String| match text.parse::<Number>() {
            Ok(number) if number.to_string() == *text => Value::Number(number),
            _ => Value::String(text.clone()),
        };
        let object: Map<String, Value> =
            self.0.iter().map(|(key, text)| (key.clone(), value(text))).collect();
        write_atomically(&directory.join(FILE), (serde_json::to_string_pretty(&object)? + "\n").as_bytes())
    }
}

/// Where a key stands among the others: those with a meaning in their order, all others behind them.
pub fn rank(key: &str) -> usize {
    KEYS.iter().position(|&known| known == key).unwrap_or(KEYS.len())
}

fn number(key: &str, text: &str, range: core::ops::RangeInclusive<f64>, what: &str) -> Result<()> {
    ensure!(text.parse().is_ok_and(|number: f64| range.contains(&number)), "{key} {text}: give {what}");
    Ok(())
}

/// How a model is called: `ORGANIZATION/NAME` for a copy of a repository of the hub, else the name of its directory.
pub fn model_name(directory: &Path) -> String {
    let whole = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    // The cache holds `models--ORGANIZATION--NAME/snapshots/COMMIT`.
    let folder = whole.ancestors().nth(2).and_then(|path| path.file_name()?.to_str());
    let repository = folder.and_then(|name| name.strip_prefix("models--"));
    repository.map_or_else(|| file_name(&whole), |name| name.replacen("--", "/", 1))
}

/// The name of a file without its folder.
pub fn file_name(path: &Path) -> String {
    if is_standard(path) {
        return "standard input".to_owned();
    }
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Card, model_name};
    use crate::features::WindowOptions;

    #[test]
    fn a_card_keeps_its_values_and_its_order() -> anyhow::Result<()> {
        let text = r#"{"zone": "third\nparty", "license": "CC BY-SA 4.0", "f1": 90.5, "training_data": ["a", "b"],
                      "base": "org/name", "null_threshold": "-1.5", "attribution": null, "max_seq_len": 128,
                      "doc_stride": 32}"#;
        let card = Card::parse(text)?;
        let expected = [
            ("base", "org/name"),
            ("training_data", "a, b"),
            ("f1", "90.5"),
            ("null_threshold", "-1.5"),
            ("license", "CC BY-SA 4.0"),
            ("doc_stride", "32"),
            ("max_seq_len", "128"),
            ("zone", "third party"),
        ];
        assert_eq!(card.entries().collect::<Vec<_>>(), expected);
        assert_eq!(card.windows(), Some(WindowOptions { max_seq_len: 128, doc_stride: 32 }));
        let root = tempfile::tempdir()?;
        card.write(root.path())?;
        assert_eq!(Card::of_directory(root.path())?, card);
        assert_eq!(Card::of_directory(&root.path().join("none"))?, Card::default());
        Ok(())
    }

    #[test]
    fn what_is_no_card_is_refused() {
        for (text, part) in [
            ("", "not a model card"),
            ("[1]", "not a model card"),
            (r#"{"a": {"b": 1}}"#, "a: give a text"),
            (r#"{"a": [1]}"#, "a: a list may hold texts only"),
            (r#"{"f1": 101}"#, "f1 101: give a percentage"),
            (r#"{"exact_match": "high"}"#, "exact_match high: give a percentage"),
            (r#"{"sparsity": 80}"#, "sparsity 80: give a share"),
            (r#"{"answerable_slope": "steep"}"#, "answerable_slope steep: give a number"),
            (r#"{"null_threshold": "NaN"}"#, "null_threshold NaN: give a number"),
            (r#"{"max_seq_len": -1}"#, "max_seq_len -1: give a number of tokens"),
            (r#"{"a:b": "c"}"#, "\"a:b\" cannot be a key"),
            (r#"{"": "c"}"#, "\"\" cannot be a key"),
        ] {
            let message = format!("{:#}", Card::parse(text).expect_err(text));
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_further_run_inherits_origin_and_license_but_no_scores() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let (base, next) = (root.path().join("mini"), root.path().join("next"));
        std::fs::create_dir(&base)?;
        std::fs::create_dir(&next)?;
        let windows = WindowOptions { max_seq_len: 128, doc_stride: 32 };
        let mut card = Card::of_run(&base, &["data/train.json"], windows)?;
        assert_eq!(
            card.entries().collect::<Vec<_>>()[..2],
            [("base", "mini"), ("training_data", "train.json")]
        );
        for (key, value) in [
            ("f1", "80"),
            ("license", "MIT"),
            ("answerable_slope", "-1"),
            ("sparsity", "0.5"),
            ("created_by", "x"),
        ] {
            card.set(key, value)?;
        }
        card.write(&next)?;
        let card = Card::of_run(&next, &["more.json", "other/train.json", "-"], windows)?;
        let expected = [
            ("base", "mini"),
            ("training_data", "train.json, more.json, standard input"),
            ("license", "MIT"),
            ("doc_stride", "32"),
            ("max_seq_len", "128"),
        ];
        assert_eq!(card.entries().collect::<Vec<_>>(), expected);
        Ok(())
    }

    #[test]
    fn a_copy_of_a_repository_has_the_name_of_the_repository() {
        let cached = Path::new("/cache/hub/models--org--a-name/snapshots/0123456789abcdef");
        assert_eq!(model_name(cached), "org/a-name");
        assert_eq!(model_name(Path::new("/models/qa-sparse80/")), "qa-sparse80");
    }
}
