//! What the command says of itself: help, its examples, the version with the default model's card.

use blockspan_engine::{Isa, available, best};
use serde_json::Value;

use crate::common::{TempFile, blockspan, default_model, stdout, with_card};

const COMMANDS: [&str; 10] =
    ["index", "ask", "batch", "eval", "inspect", "bench", "selftest", "tokenize", "completions", "man"];

/// With the one whose examples need a server ([`tests/serve`](../serve/help.rs)).
const ALL_COMMANDS: [&str; 11] = [
    "ask",
    "batch",
    "index",
    "serve",
    "eval",
    "inspect",
    "bench",
    "selftest",
    "tokenize",
    "completions",
    "man",
];

fn help(args: &[&str]) -> String {
    stdout(&blockspan(args).output().unwrap())
}

/// The lines under `Example:` or `Examples:`, with which a help ends.
fn examples(help: &str) -> Vec<&str> {
    let lines: Vec<&str> = help.lines().collect();
    let heading = lines.iter().position(|line| ["Example:", "Examples:"].contains(line));
    let examples = lines[1 + heading.unwrap_or_else(|| panic!("no example in {help}"))..].iter();
    examples.map(|line| line.strip_prefix("  ").unwrap_or_else(|| panic!("{line:?} in {help}"))).collect()
}

/// In a directory that holds the files that the examples name.
#[cfg(unix)]
#[test]
fn every_example_runs() {
    let report = TempFile::new("report.txt", b"The contract was signed by Marta Lindqvist in Oslo.\n");
    let directory = report.directory.path();
    std::os::unix::fs::symlink(default_model(), directory.join("model.bspan")).unwrap();
    let data = serde_json::json!({ "data": [{ "title": "t", "paragraphs": [{
        "context": "The mast is 31 metres high.",
        "qas": [{ "id": "1", "question": "How high is the mast?",
                  "answers": [{ "text": "31 metres", "answer_start": 12 }] }],
    }]}]});
    std::fs::write(directory.join("dev.json"), data.to_string()).unwrap();
    std::fs::create_dir(directory.join("notes")).unwrap();
    std::fs::copy(&report.path, directory.join("notes/report.md")).unwrap();
    let line = serde_json::json!({ "id": "1", "question": "How high is the mast?", "context": "It is 31 metres high." });
    std::fs::write(directory.join("questions.jsonl"), format!("{line}\n")).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_blockspan")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());

    let helps = COMMANDS.map(|command| help(&[command, "--help"]));
    for help in helps.iter().chain([&help(&["--help"])]) {
        for example in examples(help) {
            assert!(example.contains("blockspan "), "{example}");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", example]).current_dir(directory).env("PATH", &path).env_remove("BLOCKSPAN_ISA");
            let output = shell.stdin(std::process::Stdio::null()).output().unwrap();
            assert!(
                output.status.success()
                    && (!output.stdout.is_empty() || example.contains("--out ") || example.contains(" > ")),
                "{example}: {output:?}"
            );
        }
    }
    let predictions = std::fs::read(directory.join("predictions.json")).unwrap();
    let asked = crate::common::ask("How high is the mast?", "The mast is 31 metres high.", &[]);
    assert_eq!(serde_json::from_slice::<Value>(&predictions).unwrap()["1"], asked["answers"][0]["text"]);
}

/// Short words, the same as the trainer's; not the options' own names in capitals.
#[test]
fn placeholders_say_what_is_wanted() {
    const PLACEHOLDERS: [&str; 17] = [
        "<WHEN>",
        "<TOKENS>",
        "<FILE>",
        "<DIR>",
        "<N>",
        "<N,…>",
        "<NAME>",
        "<TEXT>",
        "<DIFF>",
        "<QUESTION>",
        "<SHELL>",
        "<HOST:PORT>",
        "<MODE>",
        "<BYTES>",
        "<SECONDS>",
        "<FORMAT>",
        "<LEVEL>",
    ];
    for command in ALL_COMMANDS {
        let help = help(&[command, "-h"]);
        let options: Vec<&str> =
            help.lines().filter(|line| line.trim_start().starts_with(['-', '<'])).collect();
        assert!(options.len() > 1, "{help}");
        for line in options {
            for (start, _) in line.match_indices('<') {
                let end = start + 1 + line[start..].find('>').unwrap();
                assert!(PLACEHOLDERS.contains(&&line[start..end]), "{command}: {line}");
            }
        }
    }
}

#[test]
fn options_with_a_value_tell_their_default() {
    // These have none: without them nothing is written, and the passage comes from elsewhere.
    const WITHOUT: [&str; 7] = [
        "--context ",
        "--index ",
        "--folder ",
        "Write the index",
        "--predictions ",
        "--output-dir ",
        "--expect ",
    ];
    for command in ALL_COMMANDS {
        let help = help(&[command, "-h"]);
        for line in help.lines().filter(|line| line.trim_start().starts_with("--") && line.contains(" <")) {
            let none = WITHOUT.iter().any(|option| line.contains(option));
            assert!(none || line.contains("[default: "), "{command}: {line}");
        }
    }
}

#[test]
fn the_short_version_is_one_line() {
    assert_eq!(help(&["-V"]), format!("blockspan {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_long_version_shows_the_default_models_card_the_features_and_the_instruction_sets() {
    let text = help(&["--version"]);
    assert_eq!(text.lines().next(), Some(concat!("blockspan ", env!("CARGO_PKG_VERSION"))));
    let report: Value = serde_json::from_str(&help(&["inspect", "--json"])).unwrap();
    let metadata = report["metadata"].as_array().unwrap();
    assert!(!metadata.is_empty());
    for pair in metadata {
        let (key, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let listed = |line: &str| line.trim().strip_prefix(key).map(str::trim) == Some(value);
        assert!(text.lines().any(listed), "no {key}: {value} in {text}");
    }
    let features = text.lines().find_map(|line| line.strip_prefix("features: ")).unwrap();
    let has = |feature: &str| features.split(' ').any(|name| name == feature);
    assert_eq!((has("default-model"), has("serve")), (true, cfg!(feature = "serve")), "{features}");
    assert_eq!(
        (has("page"), has("parquet"), has("pdf")),
        (cfg!(feature = "page"), cfg!(feature = "parquet"), cfg!(feature = "pdf")),
        "{features}"
    );
    let names: Vec<&str> = available().map(Isa::name).collect();
    let sets = format!("instruction sets here: {}; used: {}", names.join(" "), best().isa());
    assert!(text.lines().any(|line| line == sets), "no {sets:?} in {text}");
}

#[test]
fn inspect_shows_the_whole_card_known_keys_first() {
    let keys = [
        "base",
        "training_data",
        "sparsity",
        "pattern",
        "exact_match",
        "f1",
        "evaluated_on",
        "null_threshold",
        "answerable_slope",
        "answerable_intercept",
        "license",
        "attribution",
        "source",
        "created_by",
    ];
    let line = |(number, key): (usize, &&str)| format!("{key}: value {number}, with: a colon\n");
    let metadata = "color: green\n".to_owned() + &keys.iter().enumerate().rev().map(line).collect::<String>();
    let file = TempFile::new("card.bspan", &with_card(&metadata));
    let text = help(&["inspect", file.name()]);
    let card = text.lines().skip_while(|line| *line != "card").skip(1).take_while(|line| !line.is_empty());
    let card: Vec<(&str, &str)> = card
        .map(|line| line.trim().split_once(' ').unwrap())
        .map(|(key, value)| (key, value.trim()))
        .collect();
    let mut expected: Vec<(&str, String)> = keys
        .iter()
        .enumerate()
        .map(|(number, key)| (*key, format!("value {number}, with: a colon")))
        .collect();
    expected.push(("color", "green".to_owned()));
    assert_eq!(card, expected.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>());

    let empty = TempFile::new("empty.bspan", &with_card(""));
    assert!(help(&["inspect", empty.name()]).contains("\ncard\n  empty: "));
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_printed() {
    for args in [["--help"].as_slice(), &["ask", "-h"], &["--version"], &["-V"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = blockspan(args).stdout(full).output().unwrap();
        crate::common::assert_refused(&output, &["standard output", "No space left"]);
    }
}
