//! Directories that cannot be packed are refused with the file, the reason and the remedy, on one line.

use std::fs;
use std::path::Path;

use blockspan_trainer::pack::tokenizer::TokenizerSections;

use crate::reference::fixture;

/// The message for a directory that holds these files.
fn refusal(files: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in files {
        fs::write(directory.path().join(file), text).unwrap();
    }
    let error = TokenizerSections::from_directory(directory.path()).err().expect("a refusal");
    let message = format!("{error:#}");
    assert!(!message.contains('\n'), "{message}");
    assert!(message.starts_with(&directory.path().display().to_string()), "{message}");
    message
}

/// `tokenizer.json` of a fixture with one text replaced.
fn edited(from: &str, to: &str) -> String {
    let json = fs::read_to_string(fixture("output-block").join("tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let json = json.to_string();
    assert!(json.contains(from), "the fixture has no {from}");
    json.replacen(from, to, 1)
}

#[track_caller]
fn assert_json_refused(from: &str, to: &str, reason: &str) {
    let message = refusal(&[("tokenizer.json", &edited(from, to))]);
    assert!(message.contains("tokenizer.json") && message.contains(reason), "{message}");
}

#[test]
fn no_tokenizer_at_all() {
    let message = refusal(&[]);
    assert!(message.contains("no tokenizer.json and no vocab.txt"), "{message}");
    let missing = TokenizerSections::from_directory(Path::new("/no/such/directory")).err().unwrap();
    assert!(missing.to_string().starts_with("/no/such/directory: "), "{missing}");
}

#[test]
fn malformed_files() {
    assert!(refusal(&[("tokenizer.json", "{")]).contains("tokenizer.json"));
    assert!(refusal(&[("tokenizer.json", "not json")]).contains("tokenizer.json"));
    let config = [("vocab.txt", "[UNK]\n"), ("tokenizer_config.json", "[1]")];
    assert!(refusal(&config).contains("tokenizer_config.json"));
}

#[test]
fn incomplete_vocabularies() {
    assert!(refusal(&[("vocab.txt", "")]).contains("[UNK]"));
    let message = refusal(&[("vocab.txt", "[UNK]\n[CLS]\n[PAD]\nthe\n")]);
    assert!(message.contains("vocab.txt") && message.contains("[SEP]"), "{message}");
}

#[test]
fn tokenizers_of_another_kind() {
    assert_json_refused("\"type\":\"BertPreTokenizer\"", "\"type\":\"Whitespace\"", "BertPreTokenizer");
    assert_json_refused("\"type\":\"BertNormalizer\"", "\"type\":\"NFC\"", "BertNormalizer");
    assert_json_refused(
        "\"continuing_subword_prefix\":\"##\"",
        "\"continuing_subword_prefix\":\"@@\"",
        "continuing_subword_prefix",
    );
    assert_json_refused(
        "\"max_input_chars_per_word\":100",
        "\"max_input_chars_per_word\":101",
        "max_input_chars_per_word",
    );
    assert_json_refused("\"lstrip\":false", "\"lstrip\":true", "stripped");
}
