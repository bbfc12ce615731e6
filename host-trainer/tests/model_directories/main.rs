//! Model directories as people have them: what is read although it is unusual, and what is refused in which words.

#[path = "../common/mod.rs"]
mod common;

mod archive;
mod heads;
mod lfs;
mod pickles;
mod ranges;
mod tokenizers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use blockspan_trainer::config::Config;
use serde_json::Value;
use tempfile::TempDir;

const FINETUNE: &str =
    "finetune --base base --train data.json --out out --epochs 1 --max-seq-len 24 --doc-stride 8";
const EVALUATE: &str = "evaluate --model base data.json --max-seq-len 24 --doc-stride 8";
const PACK: &str = "pack --model base --out out.bspan";
const INSPECT: &str = "inspect base";

/// A fresh directory with the model `base` and the data set `data.json`.
struct Workplace {
    root: TempDir,
    config: Config,
}

impl Workplace {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let config = common::write_base(root.path(), 1);
        Workplace { root, config }
    }

    fn base(&self, file: &str) -> PathBuf {
        self.root.path().join("base").join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.base(file), text).expect("a file");
    }

    /// Sets fields of a JSON file of the model, which is made if it is missing.
    fn set(&self, file: &str, fields: &Value) {
        let text = std::fs::read_to_string(self.base(file)).unwrap_or_else(|_| "{}".into());
        let mut json: Value = serde_json::from_str(&text).expect("JSON");
        for (name, value) in fields.as_object().expect("fields") {
            json[name] = value.clone();
        }
        self.write(file, json.to_string());
    }

    /// Runs the binary with the words of `line`, and with backtraces on.
    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
        command.env("RUST_BACKTRACE", "1");
        command.current_dir(self.root.path()).args(line.split_whitespace()).output().expect("the binary runs")
    }

    /// Runs a command that must succeed; its output and its notes.
    #[track_caller]
    fn succeeds(&self, line: &str) -> (String, String) {
        let output = self.run(line);
        let notes = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{line}: {notes}");
        (String::from_utf8(output.stdout).expect("UTF-8"), notes)
    }

    /// Runs a command that must fail in one line that has all of `parts`.
    #[track_caller]
    fn refused(&self, line: &str, parts: &[&str]) {
        let output = self.run(line);
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        let errors: Vec<&str> = message.lines().filter(|line| !line.starts_with("note: ")).collect();
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert!(matches!(errors[..], [error] if error.starts_with("error: ")), "{line}: {message}");
        for part in parts {
            assert!(errors[0].contains(part), "{line}: no {part:?} in: {message}");
        }
        for word in ["candle_core", "untagged enum", "usize", "struct ", ".rs:"] {
            assert!(!errors[0].contains(word), "{line}: {word} in: {message}");
        }
        assert_eq!(output.stdout, b"", "{line}");
        assert!(!self.root.path().join("out.bspan").exists(), "{line}: a file was written");
    }

    /// The packed file.
    fn packed(&self) -> Vec<u8> {
        std::fs::read(self.root.path().join("out.bspan")).expect("a packed file")
    }
}

/// A file of the fixtures.
fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}
