//! Tokenizers whose files disagree, or say more than a vocabulary. What is expected of them is what transformers 5.24
//! makes of the same directories.

use std::path::Path;

use blockspan_trainer::pack::tokenizer::TokenizerSections;
use blockspan_trainer::tokenizer::read_tokenizer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{EVALUATE, FINETUNE, PACK, Workplace, common, fixture};

const TEXT: &str = "A Naïve CAT's Ärger 北京 newtoken newtokens [MASK] x";

/// The tokens of [`TEXT`] in the cased fixture's vocabulary: as it is, and in lower case.
const CASED: &str =
    "A N ##a ##ï ##ve C ##A ##T ' s [UNK] [UNK] [UNK] new ##to ##ke ##n new ##to ##ke ##n ##s [MASK] x";
const LOWER: &str =
    "a n ##a ##ive cat ' s a ##r ##ge ##r [UNK] [UNK] new ##to ##ke ##n new ##to ##ke ##n ##s [MASK] x";

/// The files of the cased fixture's tokenizer that are named, and its settings with other fields.
fn directory(files: &[&str], settings: &Value) -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let from = fixture("tiny/cased");
    for file in files {
        std::fs::copy(from.join(file), root.path().join(file)).expect("copied");
    }
    let text = std::fs::read_to_string(from.join("tokenizer_config.json")).expect("settings");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    for (name, value) in settings.as_object().expect("fields") {
        json[name] = value.clone();
    }
    write(root.path(), "tokenizer_config.json", &json);
    root
}

fn write(root: &Path, file: &str, json: &Value) {
    std::fs::write(root.join(file), json.to_string()).expect("a file");
}

#[track_caller]
fn cuts(root: &TempDir, expected: &str) {
    let (tokenizer, ..) = read_tokenizer(root.path()).expect("a tokenizer");
    let tokens = tokenizer.encode(TEXT, false).expect("tokens").get_tokens().join(" ");
    assert_eq!(tokens, expected);
    let sections = TokenizerSections::from_directory(root.path()).expect("sections");
    let packed = sections.tokenizer().expect("a tokenizer");
    let names =
        packed.tokens(TEXT).map(|token| packed.vocabulary().token(token.id).expect("a token").to_owned());
    assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "packed");
}

/// The message of reading or packing the tokenizer.
#[track_caller]
fn refused(root: &TempDir, parts: &[&str]) {
    let error = TokenizerSections::from_directory(root.path()).err().expect("a refusal");
    let message = format!("{error:#}");
    assert!(message.starts_with(&root.path().display().to_string()) && !message.contains('\n'), "{message}");
    parts.iter().for_each(|part| assert!(message.contains(part), "no {part:?} in: {message}"));
}

const JSON: &[&str] = &["tokenizer.json"];
const VOCAB: &[&str] = &["vocab.txt"];

#[test]
fn tokenizer_json_was_taken_where_tokenizer_config_json_decides() {
    for files in [JSON, VOCAB] {
        cuts(&directory(files, &json!({})), CASED);
        cuts(&directory(files, &json!({"do_lower_case": true})), LOWER);
        cuts(
            &directory(files, &json!({"do_lower_case": true, "tokenizer_class": "DistilBertTokenizerFast"})),
            LOWER,
        );
        let accents = LOWER.replace("n ##a ##ive", "naïve").replace("a ##r ##ge ##r", "[UNK]");
        let root = directory(files, &json!({"do_lower_case": true, "strip_accents": false}));
        cuts(&root, &accents);
        let chinese = CASED.replacen("[UNK] [UNK] [UNK]", "[UNK] [UNK]", 1);
        cuts(&directory(files, &json!({"tokenize_chinese_chars": false})), &chinese);
        cuts(&directory(files, &json!({"unk_token": "##a"})), &CASED.replace("[UNK]", "##a"));
    }
    for class in ["PreTrainedTokenizerFast", "TokenizersBackend"] {
        cuts(&directory(JSON, &json!({"do_lower_case": true, "tokenizer_class": class})), CASED);
        refused(
            &directory(VOCAB, &json!({"tokenizer_class": class})),
            &["tokenizer_config.json", "vocab.txt"],
        );
    }
}

#[test]
fn a_flag_that_no_file_states_decides_nothing() {
    let root = directory(JSON, &json!({}));
    write(root.path(), "tokenizer_config.json", &json!({"tokenizer_class": "BertTokenizer"}));
    refused(
        &root,
        &[
            "tokenizer.json: lowercase is false",
            "tokenizer_config.json does not say do_lower_case",
            "\"do_lower_case\": false",
        ],
    );
    std::fs::remove_file(root.path().join("tokenizer_config.json")).expect("removed");
    refused(&root, &["tokenizer.json: lowercase is false", "\"do_lower_case\": false"]);
}

#[test]
fn tokenizers_of_other_classes_were_packed_as_berts() {
    for files in [JSON, VOCAB] {
        for (fields, part) in [
            (
                json!({"tokenizer_class": "BertJapaneseTokenizer"}),
                "tokenizer_class is \"BertJapaneseTokenizer\"",
            ),
            (
                json!({"tokenizer_class": "RobertaTokenizerFast"}),
                "tokenizer_class is \"RobertaTokenizerFast\"",
            ),
            (json!({"word_tokenizer_type": "mecab"}), "word_tokenizer_type is \"mecab\""),
            (json!({"subword_tokenizer_type": "character"}), "subword_tokenizer_type is \"character\""),
            (json!({"auto_map": {"AutoTokenizer": ["own.Own", null]}}), "auto_map is "),
        ] {
            refused(&directory(files, &fields), &["tokenizer_config.json", part, "use a BERT checkpoint"]);
        }
    }
    let root = directory(VOCAB, &json!({"tokenizer_class": null}));
    write(root.path(), "config.json", &json!({"tokenizer_class": "BertJapaneseTokenizer"}));
    refused(&root, &["config.json: tokenizer_class is \"BertJapaneseTokenizer\""]);
}

/// An entry of `added_tokens_decoder`.
fn token(text: &str, normalized: bool) -> Value {
    json!({"content": text, "lstrip": false, "normalized": normalized, "rstrip": false, "single_word": false,
           "special": false})
}

#[test]
fn added_tokens_beside_a_vocabulary_were_ignored() {
    let added = CASED.replace("new ##to ##ke ##n new ##to ##ke ##n ##s", "newtoken newtoken s");
    for files in [JSON, VOCAB] {
        let decoder = json!({"added_tokens_decoder": {"1350": token("newtoken", false)}});
        if files == VOCAB {
            cuts(&directory(files, &decoder), &added);
        } else {
            let mut all = decoder.clone();
            for (id, text) in
                [(0, "[PAD]"), (1346, "[UNK]"), (1347, "[CLS]"), (1348, "[SEP]"), (1349, "[MASK]")]
            {
                all["added_tokens_decoder"][id.to_string()] = token(text, false);
            }
            cuts(&directory(files, &all), &added);
        }
        cuts(&directory(files, &json!({"extra_special_tokens": ["newtoken"]})), &added);
        cuts(&directory(files, &json!({"additional_special_tokens": [{"content": "newtoken"}]})), &added);
        let wrong = json!({"added_tokens_decoder": {"1400": token("newtoken", false)}});
        refused(
            &directory(files, &wrong),
            &["tokenizer_config.json: the added token \"newtoken\" has the id 1400", "1350"],
        );
        // The engine looks for added tokens in the raw text only.
        let normalized = json!({"added_tokens_decoder": {"1350": token("newtoken", true)}});
        refused(&directory(files, &normalized), &["\"newtoken\" is normalized", "\"normalized\": false"]);
    }
    let root = directory(VOCAB, &json!({}));
    write(root.path(), "added_tokens.json", &json!({"newtoken": 1350}));
    let (tokenizer, ..) = read_tokenizer(root.path()).expect("a tokenizer");
    assert_eq!(tokenizer.encode(TEXT, false).expect("tokens").get_tokens().join(" "), added);
    refused(&root, &["vocab.txt", "\"newtoken\" is normalized", "added_tokens_decoder"]);
    write(root.path(), "added_tokens.json", &json!({"newtoken": "last"}));
    refused(&root, &["added_tokens.json: newtoken is \"last\"; it must be a whole number"]);
}

#[test]
fn a_token_that_one_file_adds_and_the_deciding_one_leaves_out() {
    let root = directory(JSON, &json!({"added_tokens_decoder": {"0": token("[PAD]", false)}}));
    let text = std::fs::read_to_string(root.path().join("tokenizer.json")).expect("a tokenizer");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let mut more = token("newtoken", false);
    more["id"] = 1350.into();
    json["added_tokens"].as_array_mut().expect("a list").push(more);
    write(root.path(), "tokenizer.json", &json);
    refused(&root, &["tokenizer.json: it adds the token \"newtoken\"", "tokenizer_config.json does not"]);
}

#[test]
fn too_many_added_tokens_are_named_with_the_remedy() {
    let many: Vec<String> = (0..20).map(|n| format!("<{n}>")).collect();
    let root = directory(VOCAB, &json!({"extra_special_tokens": many}));
    refused(&root, &["vocab.txt: it has 25 added tokens ([PAD] [UNK]", "at most 16", "added_tokens_decoder"]);
}

#[test]
fn a_model_without_a_mask_token_was_refused() {
    let without = CASED.replace("[MASK]", "[ M ##A ##S ##K ]");
    cuts(&directory(VOCAB, &json!({"mask_token": null})), &without);
    for name in ["cls_token", "sep_token", "pad_token", "unk_token"] {
        refused(
            &directory(VOCAB, &json!({name: null})),
            &["tokenizer_config.json", &format!("{name} is null")],
        );
    }
    refused(&directory(VOCAB, &json!({"mask_token": "<mask>"})), &["vocab.txt: no \"<mask>\""]);
    refused(&directory(VOCAB, &json!({"mask_token": 5})), &["tokenizer_config.json: mask_token is 5"]);
    let root = directory(VOCAB, &json!({}));
    write(root.path(), "special_tokens_map.json", &json!({"mask_token": {"content": "##a"}}));
    cuts(&root, &without);
}

#[test]
fn blank_last_lines_of_a_vocabulary_were_counted_as_tokens() {
    let root = directory(VOCAB, &json!({}));
    let words = std::fs::read_to_string(root.path().join("vocab.txt")).expect("words");
    std::fs::write(root.path().join("vocab.txt"), format!("{words}\n\r\n \n")).expect("written");
    cuts(&root, CASED);
    let (tokenizer, ..) = read_tokenizer(root.path()).expect("a tokenizer");
    assert_eq!(tokenizer.get_vocab_size(true), 1350);
}

/// `tokenizer.json` of the vocabulary in `base`, which keeps the case.
fn write_json(place: &Workplace) {
    let words = std::fs::read_to_string(place.base("vocab.txt")).expect("words");
    let vocabulary: serde_json::Map<String, Value> =
        words.lines().zip(0..).map(|(word, id)| (word.to_owned(), id.into())).collect();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": false},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    place.write("tokenizer.json", json.to_string());
}

#[test]
fn verify_could_not_notice_that_the_files_disagree() {
    let place = Workplace::new();
    write_json(&place);
    for line in [FINETUNE, EVALUATE, PACK] {
        place.refused(
            line,
            &["base/tokenizer.json: lowercase is false", "base/tokenizer_config.json", "do_lower_case"],
        );
    }
    place.set("tokenizer_config.json", &json!({"do_lower_case": true}));
    let (_, notes) = place.succeeds(PACK);
    let note = "note: base/tokenizer_config.json: do_lower_case is true, but in base/tokenizer.json lowercase is false; \
                tokenizer_config.json decides, as in transformers\n";
    assert_eq!(notes, note);
    let data = common::DATA.replace("who sat ?", "Who sat ?");
    std::fs::write(place.root.path().join("data.json"), data).expect("data");
    let verify = || {
        let line = "verify --model base --packed out.bspan data.json --max-seq-len 24 --doc-stride 8 --json";
        let found: Value = serde_json::from_str(&place.succeeds(line).0).expect("JSON");
        [&found["texts_cut_differently"], &found["texts_cut_differently_by_tokenizer_json"]]
            .map(|n| n.as_u64().expect("a count"))
    };
    assert_eq!(verify(), [0, 1]);
    // Packed by one file, compared with the other.
    place.set("tokenizer_config.json", &json!({"do_lower_case": false}));
    assert_eq!(verify(), [1, 1]);
}
