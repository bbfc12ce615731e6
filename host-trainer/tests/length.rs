//! How long a run is: epochs, steps, more of them for a run that has ended; and the learning rate meanwhile.

#[path = "common/command.rs"]
mod command;
mod common;

use std::path::Path;

use anyhow::Result;
use blockspan_kernels::dense_bf16::Bf16Products;
use blockspan_trainer::train::metrics::{self, Record};
use command::run;

/// Three steps an epoch.
const FINETUNE: &str =
    "finetune --base base --train data.json --batch-size 2 --lr 1e-3 --warmup 0.5 --seed 7";

fn succeeds(root: &Path, line: &str) -> String {
    let output = run(root, line);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {message}");
    message
}

/// The learning rates of all steps.
fn rates(root: &Path, out: &str) -> Result<Vec<f64>> {
    let rate = |record: &Record| match *record {
        Record::Step { learning_rate, .. } => Some(learning_rate),
        Record::Evaluation { .. } => None,
    };
    Ok(metrics::read(&root.join(out))?.iter().filter_map(rate).collect())
}

fn assert_close(found: &[f64], expected: &[f64]) {
    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(found.len() == expected.len() && close, "{found:?}, expected {expected:?}");
}

fn weights(root: &Path, out: &str) -> Vec<u8> {
    std::fs::read(root.join(out).join("model.safetensors")).expect("weights")
}

#[test]
fn neither_the_first_nor_the_last_step_is_wasted() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 1);
    succeeds(root.path(), &format!("{FINETUNE} --epochs 2 --out out"));
    let third = 1e-3 / 3.0;
    assert_close(&rates(root.path(), "out")?, &[third, 2.0 * third, 1e-3, 1e-3, 2.0 * third, third]);
    Ok(())
}

#[test]
fn steps_take_the_place_of_epochs() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    for steps in [1, 2, 7] {
        let out = format!("out-{steps}");
        succeeds(root, &format!("{FINETUNE} --max-steps {steps} --out {out}"));
        assert_eq!(rates(root, &out)?.len(), steps);
    }
    succeeds(root, &format!("{FINETUNE} --max-steps 6 --epochs 40 --out steps"));
    succeeds(root, &format!("{FINETUNE} --epochs 2 --out epochs"));
    assert!(weights(root, "steps") == weights(root, "epochs"));
    for flags in ["--max-steps 0", "--epochs 0"] {
        let output = run(root, &format!("{FINETUNE} {flags} --out none"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(&format!("{flags}: give at least 1")), "{message}");
    }
    Ok(())
}

#[test]
fn a_run_that_has_ended_can_be_made_longer_but_not_shorter() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    let gradual = format!("{FINETUNE} --sparsity 0.5 --schedule gradual --prune-end 0.9 --prune-every 1");
    succeeds(root, &format!("{gradual} --epochs 2 --out out"));
    let first = rates(root, "out")?;
    let message = succeeds(root, &format!("{gradual} --epochs 4 --out out --resume"));
    assert!(message.contains("the run had 6 steps and now has 12"), "{message}");
    let all = rates(root, "out")?;
    // From step 7 on those of a run of 12 steps, which is in the middle then.
    let later = [1.0, 5.0 / 6.0, 4.0 / 6.0, 0.5, 2.0 / 6.0, 1.0 / 6.0].map(|share| 1e-3 * share);
    assert_close(&all, &[&first[..], &later[..]].concat());
    // Zeros stay, though the longer run would have fewer at this point.
    let sparsities = metrics::read(&root.join("out"))?.into_iter().filter_map(|record| match record {
        Record::Step { sparsity, .. } => Some(sparsity),
        Record::Evaluation { .. } => None,
    });
    assert!(sparsities.is_sorted());

    // By steps as well; killed and resumed on the way it ends the same.
    succeeds(root, &format!("{gradual} --max-steps 14 --out out --resume"));
    assert_eq!(rates(root, "out")?.len(), 14);
    let again = succeeds(root, &format!("{gradual} --max-steps 14 --out out --resume"));
    assert!(!again.contains("now has"), "{again}");
    let before = weights(root, "out");
    for flags in ["--epochs 4", "--max-steps 13"] {
        let output = run(root, &format!("{gradual} {flags} --out out --resume"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("began with 14 steps and would have 1"), "{message}");
        assert!(message.contains("--overwrite"), "{message}");
    }
    assert!(weights(root, "out") == before);
    Ok(())
}

/// Whether this CPU has no products in bf16. The command, which asks for them, then says so; else it succeeds.
fn refuses_bf16(root: &Path, line: &str) -> bool {
    if Bf16Products::vectorized().is_some() {
        succeeds(root, line);
        return false;
    }
    let output = run(root, line);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("--dtype bf16") && message.contains("--dtype f32"), "{message}");
    true
}

#[test]
fn a_run_may_go_on_in_another_number_format() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    succeeds(root, &format!("{FINETUNE} --max-steps 4 --out whole"));
    succeeds(root, &format!("{FINETUNE} --max-steps 2 --out out"));
    if refuses_bf16(root, &format!("{FINETUNE} --max-steps 4 --out out --resume --dtype bf16")) {
        return Ok(());
    }
    assert_eq!(rates(root, "out")?.len(), 4);
    assert!(weights(root, "out") != weights(root, "whole"));
    let message = succeeds(root, &format!("{FINETUNE} --max-steps 5 --out out --resume"));
    assert!(message.contains("the run had --dtype bf16 and goes on with f32"), "{message}");
    assert_eq!(rates(root, "out")?.len(), 5);
    // A run in bf16 can be repeated to the bit.
    for out in ["one", "two"] {
        refuses_bf16(root, &format!("{FINETUNE} --max-steps 3 --out {out} --dtype bf16"));
    }
    assert!(weights(root, "one") == weights(root, "two"));
    Ok(())
}

#[test]
fn flags_of_run_qa_are_understood() -> Result<()> {
    let root = tempfile::tempdir()?;
    let root = root.path();
    common::write_base(root, 1);
    let own = "finetune --base base --train data.json --eval data.json --out own --epochs 3 --batch-size 2 \
               --gradient-accumulation 1 --lr 5e-4 --lr-decay cosine --warmup 0.1 --weight-decay 0.02 \
               --max-grad-norm 0.9 --max-seq-len 20 --doc-stride 6 --seed 42 --eval-every 4 --save-every 5 --keep 3";
    let theirs = "finetune --model_name_or_path base --train_file data.json --validation_file data.json \
                  --output_dir theirs --num_train_epochs 3.0 --per_device_train_batch_size 2 \
                  --gradient_accumulation_steps 1 --learning_rate 5e-4 --lr_scheduler_type cosine \
                  --warmup_ratio 0.1 --weight_decay 0.02 --max_grad_norm 0.9 --max_seq_length 20 --doc_stride 6 \
                  --seed 42 --eval_steps 4 --save_steps 5 --save_total_limit 3 --overwrite_output_dir";
    succeeds(root, own);
    succeeds(root, theirs);
    assert!(weights(root, "own") == weights(root, "theirs"));
    succeeds(root, &format!("{theirs} --max_steps 2"));
    assert_eq!(rates(root, "theirs")?.len(), 2);
    // It reaches --dtype.
    if !refuses_bf16(root, &format!("{theirs} --bf16")) {
        assert!(weights(root, "own") != weights(root, "theirs"));
    }
    Ok(())
}
