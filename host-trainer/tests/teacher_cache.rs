//! `--teacher-cache`: a run learns the same with it, and only from the teacher and the data that it was made for.

#[path = "common/command.rs"]
mod command;
mod common;

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use command::{run, succeeds};

/// Windows of several lengths, so that batches are padded; another teacher; other data.
fn workplace() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    common::write_base(root.path(), 1);
    for seed in [2, 3] {
        let other = root.path().join(format!("seed{seed}"));
        std::fs::create_dir(&other).expect("a directory");
        common::write_base(&other, seed);
        std::fs::rename(other.join("base"), root.path().join(format!("teacher{seed}"))).expect("a teacher");
    }
    let other = common::DATA.replace("two dogs", "one dogs");
    std::fs::write(root.path().join("other.json"), other).expect("other.json");
    root
}

/// Of more windows than one file of the cache holds: the data, thirty times.
fn finetune(out: &str, more: &str) -> String {
    let data = "data.json ".repeat(30);
    format!(
        "finetune --base base --teacher teacher2 --train {data} --distill-weight 0.5 --unanswerable-rate 0.3 --epochs 2 \
         --batch-size 7 --max-seq-len 14 --doc-stride 3 --out {out} {more}"
    )
}

/// The losses of all steps.
fn losses(root: &Path, out: &str) -> Result<Vec<Value>> {
    let lines = std::fs::read_to_string(root.join(out).join("metrics.jsonl"))?;
    let records: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(records.into_iter().map(|record| record["loss"].clone()).collect())
}

fn weights(root: &Path, out: &str) -> Result<Vec<u8>> {
    Ok(std::fs::read(root.join(out).join("model.safetensors"))?)
}

/// Runs, and returns what is said on standard error.
fn said(root: &Path, line: &str) -> String {
    let output = run(root, line);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {stderr}");
    stderr
}

#[test]
fn a_run_learns_the_same_bits_with_the_cache_as_with_the_teacher() -> Result<()> {
    let root = workplace();
    let root = root.path();
    succeeds(root, &finetune("plain", ""));
    let first = said(root, &finetune("filling", "--teacher-cache cache"));
    assert!(first.contains("cache: the teacher reads ") && first.contains("cache: whole; "), "{first}");
    let second = said(root, &finetune("filled", "--teacher-cache cache"));
    assert!(!second.contains("the teacher reads"), "it has read everything: {second}");
    let expected = losses(root, "plain")?;
    assert!(expected.len() > 80, "{} steps", expected.len());
    for out in ["filling", "filled"] {
        assert_eq!(losses(root, out)?, expected, "{out}");
        assert!(weights(root, out)? == weights(root, "plain")?, "{out}");
    }
    // The teacher matters.
    let other = finetune("other", "").replace("teacher2", "teacher3");
    succeeds(root, &other);
    assert_ne!(losses(root, "other")?, expected);
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_kept_and_the_rest_filled() -> Result<()> {
    let root = workplace();
    let root = root.path();
    said(root, &finetune("first", "--teacher-cache cache"));
    let file = |number: usize| root.join(format!("cache/logits-{number:05}.bin"));
    let whole = [std::fs::read(file(0))?, std::fs::read(file(1))?];
    let count = |stderr: &str| -> Option<usize> {
        stderr.split("cache: the teacher reads ").nth(1)?.split_whitespace().next()?.parse().ok()
    };

    // Killed before the last file, with a temporary one left behind.
    std::fs::remove_file(file(1))?;
    std::fs::write(root.join("cache/.blockspan-left"), "half")?;
    let rest = count(&said(root, &finetune("second", "--teacher-cache cache"))).expect("a number");
    assert!(rest > 0 && rest < 256, "{rest} windows");
    // A disk that lost some bytes, and one that changed some.
    std::fs::write(file(0), &whole[0][..whole[0].len() - 4])?;
    let mut changed = whole[1].clone();
    changed[5] ^= 1;
    std::fs::write(file(1), changed)?;
    let stderr = said(root, &finetune("third", "--teacher-cache cache"));
    assert_eq!(stderr.matches(": damaged; the teacher reads its windows anew").count(), 2, "{stderr}");
    assert_eq!(count(&stderr), Some(256 + rest));
    for (number, whole) in whole.iter().enumerate() {
        assert!(std::fs::read(file(number))? == *whole, "file {number}");
    }
    for out in ["second", "third"] {
        assert!(weights(root, out)? == weights(root, "first")?, "{out}");
    }
    Ok(())
}

#[test]
fn a_cache_serves_one_teacher_and_one_set_of_windows() -> Result<()> {
    let root = workplace();
    let root = root.path();
    let line = finetune("out", "--teacher-cache cache --max-steps 1");
    said(root, &line);
    let before = std::fs::read(root.join("cache/logits-00000.bin"))?;
    std::fs::create_dir(root.join("foreign"))?;
    std::fs::write(root.join("foreign/teacher-cache.json"), "[]")?;
    std::fs::write(root.join("file"), "")?;
    let remedy = "give another --teacher-cache, or remove the directory";
    for (line, parts) in [
        (
            line.replace("teacher2", "teacher3"),
            &["cache: holds the logits for another --teacher;", remedy][..],
        ),
        (
            line.replacen("data.json", "other.json", 1),
            &["cache: holds the logits for other training data", remedy],
        ),
        (line.replacen("data.json", "", 1), &["other training data", remedy]),
        (line.replace("--max-seq-len 14", "--max-seq-len 15"), &["another --max-seq-len", remedy]),
        (line.replace("--doc-stride 3", "--doc-stride 2"), &["another --doc-stride", remedy]),
        (
            line.replace("--teacher-cache cache", "--teacher-cache foreign"),
            &["foreign/teacher-cache.json", "give another"],
        ),
        (line.replace("--teacher-cache cache", "--teacher-cache file"), &["file: cannot make the directory"]),
        (format!("{line} --hidden-weight 1"), &["--hidden-weight 1", "hidden states", "leave out"]),
        (
            format!("{line} --null-distill-weight 0.5"),
            &["--unanswerable-rate", "--null-distill-weight", "leave out"],
        ),
    ] {
        let output = run(root, &format!("{line} --overwrite"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        parts.iter().for_each(|part| assert!(message.contains(part), "no {part:?} in {message}"));
    }
    assert!(std::fs::read(root.join("cache/logits-00000.bin"))? == before, "nothing refused was written");
    // Without a teacher there is nothing to keep.
    let alone = run(root, "finetune --base base --train data.json --out alone --teacher-cache cache");
    assert_eq!(alone.status.code(), Some(2));
    Ok(())
}
