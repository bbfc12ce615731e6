//! The windows that a command takes when flags do not say: those that the model was trained with, else the usual ones.

#[path = "common/command.rs"]
mod command;
mod common;

use std::path::Path;

use anyhow::Result;
use blockspan_engine::{AlignedBytes, Model};
use serde_json::Value;

use command::{run, succeeds};

const FINETUNE: &str = "finetune --base base --train data.json --epochs 1 --out out";

fn refused(root: &Path, line: &str, part: &str) {
    let output = run(root, line);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}: {message}");
    assert!(message.contains(part) && message.trim_end().lines().count() == 1, "{line}: {message}");
}

/// Window and overlap in the header of a packed file.
fn packed(root: &Path, flags: &str) -> Result<(usize, usize)> {
    succeeds(root, &format!("pack --no-smoothing --model {flags} --out windows.bspan"));
    let bytes = AlignedBytes::read_file(root.join("windows.bspan"))?;
    let model = Model::parse(&bytes)?;
    Ok((model.config().max_seq_len, model.config().doc_stride))
}

fn trained(root: &Path) -> Result<(u64, u64)> {
    let card: Value = serde_json::from_slice(&std::fs::read(root.join("out/card.json"))?)?;
    let number = |key: &str| card[key].as_u64().expect("a number");
    Ok((number("max_seq_len"), number("doc_stride")))
}

#[test]
fn windows_shorter_than_the_usual_overlap_are_no_error() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    // 24 positions; the usual windows have 384 tokens that overlap by 128.
    succeeds(root, FINETUNE);
    assert_eq!(trained(root)?, (24, 8));
    succeeds(root, &format!("{FINETUNE} --overwrite --max-seq-len 18"));
    assert_eq!(trained(root)?, (18, 6));
    succeeds(root, "pack --model base --out base.bspan");
    for line in ["evaluate --model base data.json", "verify --model base --packed base.bspan data.json"] {
        succeeds(root, line);
        succeeds(root, &format!("{line} --max-seq-len 15"));
        refused(root, &format!("{line} --max-seq-len 15 --doc-stride 11"), "no room to advance");
        refused(
            root,
            &format!("{line} --max-seq-len 25"),
            "--max-seq-len 25 exceeds the model's 24 positions",
        );
    }
    Ok(())
}

#[test]
fn the_windows_of_training_are_those_of_the_packed_file() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    assert_eq!(packed(root, "base")?, (24, 8));
    succeeds(root, &format!("{FINETUNE} --max-seq-len 20 --doc-stride 5"));
    assert_eq!(packed(root, "out")?, (20, 5));
    // A flag wins; what it leaves open follows the model.
    assert_eq!(packed(root, "out --doc-stride 7")?, (20, 7));
    assert_eq!(packed(root, "out --max-seq-len 22")?, (22, 5));
    assert_eq!(packed(root, "out --max-seq-len 12")?, (12, 4));
    assert_eq!(packed(root, "base --max-seq-len 12 --doc-stride 6")?, (12, 6));
    refused(root, "pack --model out --out x.bspan --max-seq-len 25", "--max-seq-len 25 exceeds");
    refused(root, "pack --model out --out x.bspan --doc-stride 16", "--doc-stride 16 no room to advance");

    // They cut passages elsewhere too: in what is measured, and in what is trained further.
    let measured = |flags: &str| succeeds(root, &format!("evaluate --model out data.json {flags}"));
    let windows = |printed: &str| printed.split(", ").nth(1).map(|part| part.to_owned());
    assert_eq!(measured(""), measured("--max-seq-len 20 --doc-stride 5"));
    assert_ne!(windows(&measured("")), windows(&measured("--max-seq-len 24 --doc-stride 2")));
    succeeds(root, "finetune --base out --train data.json --epochs 1 --out further");
    assert_eq!(packed(root, "further")?, (20, 5));
    Ok(())
}
