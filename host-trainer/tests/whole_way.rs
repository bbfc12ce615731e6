//! From a checkpoint to a packed file that answers: fine-tuned dense, pruned along a ramp while it imitates that dense
//! network on the int8 grids, killed and resumed on the way, packed, verified.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

const CUT: &str = "--max-seq-len 96 --doc-stride 24";

/// Of the questions' file.
const ARTICLES: usize = 10;

const DENSE: &str = "finetune --base BASE --train questions.json --eval questions.json --out dense --epochs 16 --lr 2e-3 \
                     --hidden-dropout 0 --attention-dropout 0 --batch-size 16";

const SPARSE: &str = "finetune --base dense --teacher dense --train questions.json --epochs 40 --lr 1e-3 --batch-size 8 \
                      --gradient-accumulation 2 --schedule gradual --score obs --sparsity 0.8 --prune-begin 0.1 \
                      --prune-end 0.6 --prune-every 8 --calibration 24 --distill-weight 0.5 --hidden-weight 1 \
                      --hidden-dropout 0 --attention-dropout 0.05 --qat --save-every 20";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

fn trainer(root: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockspan-trainer"));
    let line =
        format!("{line} {}", if line.starts_with("pack") || line.starts_with("inspect") { "" } else { CUT });
    for word in line.split_whitespace() {
        match word {
            "BASE" => command.arg(fixture("tiny/cased")),
            word => command.arg(word),
        };
    }
    // Threads do not pay for so small a network, least of all on a busy machine.
    command.env("RAYON_NUM_THREADS", "1").env("CANDLE_NUM_THREADS", "1");
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn succeeds(root: &Path, line: &str) -> String {
    let output = trainer(root, line).output().expect("the binary runs");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The first paragraphs of the fixture's questions.
fn write_questions(root: &Path) -> Result<()> {
    let mut all: Value = serde_json::from_slice(&std::fs::read(fixture("questions.json"))?)?;
    all["data"].as_array_mut().expect("articles").truncate(ARTICLES);
    Ok(std::fs::write(root.join("questions.json"), all.to_string())?)
}

/// The F1 in a line that begins with `EM`.
fn f1(printed: &str) -> f64 {
    let line = printed.lines().find(|line| line.starts_with("EM ")).expect("scores");
    line.split_whitespace().nth(3).and_then(|f1| f1.parse().ok()).expect("a number")
}

#[test]
fn a_checkpoint_becomes_a_sparse_packed_file_that_answers_alike() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    let begin = Instant::now();
    let stage = |name: &str| println!("{:>6.1} s  {name}", begin.elapsed().as_secs_f64());
    write_questions(root)?;
    let untrained = f1(&succeeds(root, "evaluate --model BASE questions.json"));
    let dense = f1(&succeeds(root, DENSE));
    stage(&format!("dense: F1 {dense}, before {untrained}"));
    assert!(dense > untrained + 20.0, "{dense}, before {untrained}");

    let whole = succeeds(root, &format!("{SPARSE} --out whole"));
    stage(&whole);
    let mut child = trainer(root, &format!("{SPARSE} --out killed")).spawn()?;
    let waiting = Instant::now();
    // This checkpoint lies within the ramp.
    while !root.join("killed/checkpoints/step-00000020").exists() {
        assert!(child.try_wait()?.is_none(), "it ended early");
        assert!(waiting.elapsed() < Duration::from_secs(120), "no checkpoint after two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    assert!(!root.join("killed/model.safetensors").exists(), "it was killed too late");
    succeeds(root, &format!("{SPARSE} --out killed --resume"));
    let weights = |out: &str| std::fs::read(root.join(out).join("model.safetensors"));
    assert!(weights("killed")? == weights("whole")?, "the run that was killed ends elsewhere");
    let factors = |out: &str| std::fs::read(root.join(out).join("smoothing.safetensors"));
    assert!(factors("killed")? == factors("whole")?, "the run that was killed smooths otherwise");
    assert!(factors("dense").is_err(), "a run without --qat smooths nothing");
    stage("killed and resumed");

    let inspected = succeeds(root, "inspect killed");
    let total = inspected.lines().find(|line| line.starts_with("all ")).expect("a total");
    assert!(total.contains("20.0 %") && total.ends_with("output-block"), "{total}");
    succeeds(root, "pack --model killed --out sparse.bspan");
    let measured = f1(&succeeds(root, "evaluate --model killed questions.json --output-dir answers"));
    assert!(root.join("answers/nbest_predictions.json").exists());
    let line = "verify --model killed --packed sparse.bspan questions.json --json";
    let found: Value = serde_json::from_str(&succeeds(root, line))?;
    stage(&format!("verified: {found}"));
    let number = |path: &str| found.pointer(path).and_then(Value::as_f64).expect("a number");
    assert!((number("/f32/f1") - measured).abs() < 0.01, "{measured}");
    assert!(measured > untrained + 25.0, "{measured}, before {untrained}");
    assert_eq!(number("/texts_cut_differently"), 0.0);
    assert!(number("/logits/mean_difference") < 0.05, "{found}");
    assert!((number("/int8/f1") - number("/f32/f1")).abs() < 12.0, "{found}");
    Ok(())
}
