//! Bad input to the binary: one line that names the file and the remedy, exit code 2, nothing half-written.

#[path = "common/command.rs"]
mod command;
mod common;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use blockspan_trainer::checkpoint;
use blockspan_trainer::config::Config;
use command::run;
use tempfile::TempDir;

const FINETUNE: &str =
    "finetune --base base --train data.json --out out --epochs 1 --max-seq-len 24 --doc-stride 8";
const EVALUATE: &str = "evaluate --model base data.json --max-seq-len 24 --doc-stride 8";
const PACK: &str = "pack --model base --out out.bspan";
const INSPECT: &str = "inspect base";

/// A fresh directory with the model `base` and the data set `data.json`.
fn workplace() -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    root
}

fn names(directory: &Path) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

/// Asserts that the command fails as it should, naming all of `parts`.
fn refused(root: &Path, line: &str, parts: &[&str]) {
    let before = names(root);
    let output = run(root, line);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{line}: {message}");
    assert!(message.starts_with("error: "), "{line}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{line}: {message}");
    for part in parts {
        assert!(message.contains(part), "{line}: no {part:?} in: {message}");
    }
    assert_eq!(output.stdout, b"", "{line}");
    assert_eq!(names(root), before, "{line}: something was written");
}

#[test]
fn a_good_command_succeeds() {
    let root = workplace();
    for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
        let output = run(root.path(), line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(root.path().join("out/model.safetensors").exists() && root.path().join("out.bspan").exists());
}

#[test]
fn a_directory_that_is_not_there() {
    let root = workplace();
    for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
        let line = line.replace(" base", " nowhere");
        refused(root.path(), &line, &["nowhere/config.json", "cannot read", "model directory"]);
    }
    refused(root.path(), &FINETUNE.replace("data.json", "nothing.json"), &["nothing.json"]);
    refused(root.path(), &format!("{FINETUNE} --teacher nowhere"), &["nowhere/config.json"]);
    refused(root.path(), &format!("{FINETUNE} --eval nothing.json"), &["nothing.json"]);
}

#[test]
fn a_broken_config() {
    let root = workplace();
    let path = root.path().join("base/config.json");
    let whole = std::fs::read_to_string(&path).expect("config.json");
    let half = &whole[..whole.len() / 2];
    let gelu = whole.replace("\"gelu\"", "\"relu\"");
    let huge = whole.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000000000");
    let deep = whole.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000");
    let negative = whole.replace("\"hidden_size\": 16", "\"hidden_size\": -16");
    let odd = whole.replace("\"hidden_size\": 16", "\"hidden_size\": 18");
    for (text, part) in [
        (half, "not the configuration of a BERT model"),
        ("[]", "not the configuration of a BERT model"),
        ("{}", "vocab_size is missing"),
        (&gelu, "hidden_act is \"relu\""),
        (&huge, "num_hidden_layers is 1000000000000"),
        (&deep, "num_hidden_layers is 1000"),
        (&negative, "-16"),
        (&odd, "multiples of 4"),
    ] {
        std::fs::write(&path, text).expect("config.json");
        for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
            refused(root.path(), line, &["base/config.json", part]);
        }
    }
}

#[test]
fn broken_weights() {
    let root = workplace();
    let path = root.path().join("base/model.safetensors");
    let whole = std::fs::read(&path).expect("weights");
    let longer = [&whole[..], &[0]].concat();
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let cuts = [0, 1, 7, 8, 9, 1000, whole.len() / 2, whole.len() - 1].map(|len| &whole[..len]);
    for bytes in cuts.into_iter().chain([&longer[..], &lying[..], b"this is text, not a safetensors file"]) {
        std::fs::write(&path, bytes).expect("weights");
        for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
            let parts =
                ["base/model.safetensors", "not a safetensors file, or cut short", "fetch the checkpoint"];
            refused(root.path(), line, &parts);
        }
    }
    std::fs::remove_file(&path).expect("removed");
    for line in [FINETUNE, EVALUATE, PACK, INSPECT] {
        refused(root.path(), line, &["base/model.safetensors", "cannot read"]);
    }
}

#[test]
fn a_broken_tokenizer() {
    let root = workplace();
    let vocab = root.path().join("base/vocab.txt");
    let words = std::fs::read_to_string(&vocab).expect("vocab.txt");
    for line in [FINETUNE, EVALUATE, PACK] {
        std::fs::write(&vocab, words.replace("[CLS]", "[BOS]")).expect("vocab.txt");
        refused(root.path(), line, &["base/vocab.txt", "\"[CLS]\"", "tokenizer_config.json"]);
        std::fs::write(&vocab, b"\xff\xfe\n").expect("vocab.txt");
        refused(root.path(), line, &["base/vocab.txt"]);
        std::fs::remove_file(&vocab).expect("removed");
        refused(root.path(), line, &["base: no tokenizer.json and no vocab.txt"]);
        std::fs::write(&vocab, format!("{words}\nmore")).expect("vocab.txt");
        refused(root.path(), line, &["base", "the tokenizer has 33 entries, the network 32"]);
        for file in ["tokenizer.json", "tokenizer_config.json"] {
            std::fs::write(root.path().join("base").join(file), "{\"").expect("a file");
            refused(root.path(), line, &[file]);
            std::fs::remove_file(root.path().join("base").join(file)).expect("removed");
        }
        std::fs::write(&vocab, &words).expect("vocab.txt");
    }
}

#[test]
fn zeros_that_follow_neither_pattern() {
    let root = workplace();
    let base = root.path().join("base");
    let config = Config::read(&base).expect("a configuration");
    let (mut parameters, _) = checkpoint::load(&base, &config, 0).expect("parameters");
    let name = "bert.encoder.layer.1.intermediate.dense.weight";
    let weights = parameters.get_mut(name).expect("a matrix");
    weights.iter_mut().enumerate().filter(|(i, _)| (i * 7) % 3 == 0).for_each(|(_, w)| *w = 0.0);
    checkpoint::save(&base, &base, &config, &parameters).expect("a checkpoint");
    let figures = "33.4 % of its weights are zero; blocks of four outputs explain 0.0 % of the zeros, blocks of \
                   four inputs 0.0 %";
    refused(root.path(), PACK, &["base/model.safetensors", name, figures, "--force-dense"]);
    refused(root.path(), &format!("{FINETUNE} --schedule lock"), &["base", name, figures, "--sparsity"]);

    let forced = run(root.path(), &format!("{PACK} --force-dense"));
    let report = String::from_utf8(forced.stdout).expect("UTF-8");
    assert!(forced.status.success(), "{}", String::from_utf8_lossy(&forced.stderr));
    let line = report.lines().find(|line| line.contains(name)).expect("the matrix");
    assert!(line.contains("33.4 % zeros, 100.0 % of the blocks kept"), "{line}");

    let inspected = String::from_utf8(run(root.path(), INSPECT).stdout).expect("UTF-8");
    let line = inspected.lines().find(|line| line.starts_with(name)).expect("the matrix");
    assert!(line.ends_with("neither") && line.contains("66.6 %"), "{line}");
    assert!(inspected.contains(figures), "{inspected}");
}

#[test]
fn broken_questions() {
    let root = workplace();
    let path = root.path().join("data.json");
    let moved = common::DATA.replacen("\"answer_start\": 25", "\"answer_start\": 24", 1);
    let unlabeled = common::DATA.replace("\"answers\"", "\"proposals\"");
    for (text, parts) in [
        (&common::DATA[..300], &["data.json", "line"][..]),
        ("", &["data.json"]),
        ("[1, 2]", &["data.json"]),
        (r#"{"data": []}"#, &["no question"]),
        (
            &moved,
            &[
                "data.json",
                "in 1 of 5 questions: article 0, paragraph 1, question 1 (5): ",
                "--skip-bad-answers",
            ],
        ),
        (&unlabeled, &["--train: data.json: no question has an answer"]),
    ] {
        std::fs::write(&path, text).expect("data.json");
        refused(root.path(), FINETUNE, parts);
    }
    std::fs::write(&path, &common::DATA[..300]).expect("data.json");
    refused(root.path(), EVALUATE, &["data.json", "line"]);
    std::fs::write(&path, r#"{"data": []}"#).expect("data.json");
    refused(root.path(), EVALUATE, &["data.json: holds no question"]);
    std::fs::write(&path, &unlabeled).expect("data.json");
    refused(
        root.path(),
        &format!("{EVALUATE} --unanswerable-twin"),
        &["data.json: no question has an answer"],
    );
    std::fs::write(root.path().join("labeled.json"), common::DATA).expect("labeled.json");
    let measured = FINETUNE.replace("data.json", "labeled.json") + " --eval data.json";
    refused(root.path(), &measured, &["--eval: data.json: no question has an answer"]);
}

#[test]
fn values_out_of_range() {
    let root = workplace();
    for (flags, part) in [
        ("--sparsity 1.5", "--sparsity 1.5: give a share between 0 and 1"),
        ("--sparsity 1", "--sparsity 1"),
        ("--lr 0", "--lr 0: give a positive number"),
        ("--lr NaN", "--lr NaN"),
        ("--batch-size 0", "--batch-size 0"),
        ("--pattern input-block", "--pattern needs --sparsity"),
        ("--schedule oneshot", "--schedule oneshot needs --sparsity"),
        ("--schedule gradual", "--schedule gradual needs --sparsity"),
        ("--sparsity 0.5 --prune-end 0.3", "--prune-end needs --schedule gradual"),
        ("--sparsity 0.5 --calibration 8", "--calibration needs --score obs"),
        ("--sparsity 0.5 --score obs --calibration 0", "--calibration 0: --score obs needs windows"),
        ("--sparsity 0.5 --schedule gradual --prune-begin 0.9", "--prune-begin 0.9, --prune-end 0.5"),
        ("--schedule lock --sparsity 0.5", "leave out --sparsity"),
        ("--schedule lock", "no pruned matrix to lock"),
        ("--max-train-minutes -1", "--max-train-minutes -1"),
    ] {
        refused(root.path(), &format!("{FINETUNE} {flags}").replace("minutes -1", "minutes=-1"), &[part]);
    }
    for (max_seq_len, doc_stride, part) in [
        ("384", "8", "base: --max-seq-len 384 exceeds the model's 24 positions"),
        ("0", "8", "--max-seq-len 0"),
        ("24", "18446744073709551615", "--doc-stride 18446744073709551615"),
    ] {
        for line in [FINETUNE, EVALUATE] {
            let line = line.replace("-len 24", &format!("-len {max_seq_len}"));
            refused(root.path(), &line.replace("-stride 8", &format!("-stride {doc_stride}")), &[part]);
        }
    }
    for n_best in ["0", "65", "18446744073709551615"] {
        refused(root.path(), &format!("{EVALUATE} --n-best {n_best}"), &["--n-best", "from 1 to 64"]);
    }
    refused(root.path(), &format!("{PACK} --metadata colour"), &["--metadata \"colour\"", "KEY=VALUE"]);
    #[cfg(not(feature = "cuda"))]
    refused(root.path(), &format!("{INSPECT} --device cuda"), &["--device cuda"]);
    #[cfg(not(feature = "metal"))]
    refused(root.path(), &format!("{INSPECT} --device metal"), &["--device metal"]);
}

#[test]
fn flags_that_do_not_exist() {
    let root = workplace();
    for (line, part) in [
        (format!("{FINETUNE} --epoch 1"), "--epoch"),
        (format!("{FINETUNE} --pattern diagonal"), "output-block, input-block"),
        (format!("{FINETUNE} --temperature 2"), "--teacher"),
        (format!("{PACK} --embeddings f32"), "f16"),
        ("finetune".to_owned(), "--base"),
        ("train".to_owned(), "train"),
    ] {
        let output = run(root.path(), &line);
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert!(message.starts_with("error: ") && message.contains(part), "{line}: {message}");
    }
}

#[test]
fn places_that_cannot_be_written() {
    let root = workplace();
    // A file where a directory must be: found before the first step.
    refused(
        root.path(),
        &FINETUNE.replace("--out out", "--out data.json"),
        &["data.json", "make the directory"],
    );
    refused(root.path(), &FINETUNE.replace("--out out", "--out data.json/qa"), &["data.json/qa"]);
    refused(
        root.path(),
        &PACK.replace("out.bspan", "missing/out.bspan"),
        &["missing/out.bspan: cannot write"],
    );
    refused(root.path(), &PACK.replace("out.bspan", "base"), &["base: cannot write"]);
    refused(
        root.path(),
        &format!("{EVALUATE} --predictions missing/p.json"),
        &["missing/p.json: cannot write"],
    );
}
