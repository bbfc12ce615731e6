//! Whole runs on a tiny network: zeros stay zero, seeds repeat, the loss falls.

mod common;

use core::cell::RefCell;
use core::time::Duration;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result};
use blockspan_squad::Dataset;
use blockspan_trainer::checkpoint;
use blockspan_trainer::evaluate::{EvaluateOptions, evaluate};
use blockspan_trainer::features::WindowOptions;
use blockspan_trainer::prune::pattern::{Census, Pattern};
use blockspan_trainer::prune::{Plan, Ramp, Score};
use blockspan_trainer::train::loss::Weights;
use blockspan_trainer::train::optimizer::AdamWOptions;
use blockspan_trainer::train::schedule::{Decay, Schedule};
use blockspan_trainer::train::{
    FinetuneOptions, FinetuneReport, Fits, Pruning, Runtime, Saving, finetune, metrics,
};
use candle_core::{DType, Device};

const WINDOWS: WindowOptions = WindowOptions { max_seq_len: 24, doc_stride: 8 };

fn options(root: &Path, out: &str, epochs: usize, pruning: Option<Pruning>) -> FinetuneOptions {
    FinetuneOptions {
        base: root.join("base"),
        train: vec![root.join("data.json")],
        out: root.join(out),
        teacher: None,
        teacher_cache: None,
        weights: Weights { distill: 0.5, null_distill: 0.5, temperature: 2.0, hidden: 1.0 },
        epochs,
        max_steps: None,
        schedule: Schedule { peak: 1e-2, warmup: 0.1, decay: Decay::Linear },
        batch_size: 2,
        accumulation: 1,
        shrink_batch: false,
        dropout: (None, None),
        dtype: DType::F32,
        quantized: false,
        unanswerable_rate: 0.0,
        skip_bad_answers: false,
        windows: WINDOWS,
        seed: 7,
        pruning,
        recompute: false,
        freeze_embeddings: false,
        optimizer: AdamWOptions::default(),
        max_grad_norm: 1.0,
        max_time: None,
        eval: None,
        eval_every: None,
        saving: Saving::default(),
    }
}

fn run(options: &FinetuneOptions) -> Result<FinetuneReport> {
    finetune(options, Runtime::on(&Device::Cpu))
}

/// Zeros and blocks of all encoder matrices of a saved directory.
fn census(directory: &Path) -> Result<Vec<Census>> {
    let config = blockspan_trainer::config::Config::read(directory)?;
    let (parameters, _) = checkpoint::load(directory, &config, 0)?;
    let matrices = config.prunable();
    Ok(matrices.iter().map(|matrix| Census::new(&parameters[&matrix.name], matrix.inputs)).collect())
}

#[test]
fn pruned_weights_are_exactly_zero_after_training_and_locking() -> Result<()> {
    for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
        let root = tempfile::tempdir()?;
        common::write_base(root.path(), 2);
        let pruning = Some(Pruning::one_shot(pattern, 0.75));
        let report = run(&options(root.path(), "sparse", 3, pruning))?;
        // Two layers of four 16 × 16 and two 32 × 16 matrices, three quarters of each.
        let pruned = 2 * (4 * 256 + 2 * 512) * 3 / 4;
        assert_eq!(report.pruned, pruned);
        let after = census(&root.path().join("sparse"))?;
        assert_eq!(after.iter().map(|c| c.zeros).sum::<usize>(), pruned);
        assert!(after.iter().all(|c| c.sparsity() == 0.75 && c.explained(pattern) == 1.0), "{after:?}");

        let lock = FinetuneOptions {
            base: root.path().join("sparse"),
            teacher: Some(root.path().join("base")),
            ..options(root.path(), "locked", 2, Some(Pruning::Lock { pattern: None }))
        };
        assert_eq!(run(&lock)?.pruned, pruned);
        assert_eq!(census(&root.path().join("locked"))?, after);
    }
    Ok(())
}

#[test]
fn every_score_prunes_along_the_ramp_to_the_target() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 2);
    let ramp = Ramp { begin: 0.1, end: 0.6, every: 2 };
    for (score, ramp) in [
        (Score::Magnitude, ramp),
        (Score::Taylor, ramp),
        (Score::Obs, ramp),
        (Score::Taylor, Ramp { begin: 0.0, end: 0.0, every: 1 }),
        // Without a step at its end: reached when the run is over.
        (Score::Magnitude, Ramp { begin: 0.1, end: 1.0, every: 2 }),
    ] {
        let plan = Plan { score, ramp, ..Plan::one_shot(Pattern::OutputBlock, 0.75) };
        let pruning = Some(Pruning::Plan { plan, calibration: 4 });
        let saving = Saving { overwrite: true, ..Saving::default() };
        let report = run(&FinetuneOptions { saving, ..options(root.path(), "out", 6, pruning) })?;
        assert_eq!(report.pruned, 2 * (4 * 256 + 2 * 512) * 3 / 4, "{score}");
        let after = census(&root.path().join("out"))?;
        assert!(after.iter().all(|c| c.sparsity() == 0.75 && c.explained(plan.pattern) == 1.0), "{after:?}");
        let shares: Vec<f64> = metrics::read(&root.path().join("out"))?
            .iter()
            .filter_map(|record| match record {
                metrics::Record::Step { sparsity, .. } => Some(*sparsity),
                metrics::Record::Evaluation { .. } => None,
            })
            .collect();
        assert_eq!(shares.len(), 18);
        assert!(shares.is_sorted(), "{score}: {shares:?}");
        let different = shares.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert_eq!(different > 2, ramp.end > 0.0, "{score}: {shares:?}");
    }
    Ok(())
}

#[test]
fn the_loss_falls_and_the_answers_are_learnt() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 3);
    let first = run(&options(root.path(), "short", 1, None))?;
    // Less dropout than a large network bears: 16 features cannot spare many.
    let dropout = (Some(0.02), Some(0.02));
    let last = run(&FinetuneOptions { dropout, ..options(root.path(), "long", 60, None) })?;
    assert!(last.loss < 0.2 * first.loss, "{} then {}", first.loss, last.loss);
    let dataset = Dataset::read(root.path().join("data.json"))?;
    let options = EvaluateOptions { windows: WINDOWS, ..EvaluateOptions::default() };
    let evaluation = evaluate(&root.path().join("long"), &dataset, options, &Device::Cpu)?;
    assert_eq!(evaluation.scores.exact_match, 100.0, "{:?}", evaluation.predicted);
    Ok(())
}

#[test]
fn a_seed_repeats_the_run_bit_for_bit() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 4);
    let pruning = Some(Pruning::one_shot(Pattern::OutputBlock, 0.5));
    let trained = |out: &str, seed| -> Result<Vec<u8>> {
        let teacher = Some(root.path().join("base"));
        run(&FinetuneOptions { seed, teacher, ..options(root.path(), out, 2, pruning) })?;
        Ok(std::fs::read(root.path().join(out).join("model.safetensors"))?)
    };
    let first = trained("a", 1)?;
    assert_eq!(first, trained("b", 1)?);
    assert_ne!(first, trained("c", 2)?);
    Ok(())
}

#[test]
fn quantized_training_learns_and_keeps_its_zeros() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 3);
    let dropout = (Some(0.0), Some(0.0));
    let pruning = Some(Pruning::one_shot(Pattern::OutputBlock, 0.5));
    let quantized =
        FinetuneOptions { quantized: true, dropout, ..options(root.path(), "quantized", 60, pruning) };
    let report = run(&quantized)?;
    let plain =
        run(&FinetuneOptions { quantized: false, out: root.path().join("plain"), ..quantized.clone() })?;
    assert_eq!(report.pruned, plain.pruned);
    assert!(report.loss != plain.loss, "the flag does nothing");
    assert!(report.loss < 0.2, "{}", report.loss);
    // What is saved is not rounded: transformers loads it, and pack rounds it.
    let config = blockspan_trainer::config::Config::read(&root.path().join("quantized"))?;
    let (parameters, _) = checkpoint::load(&root.path().join("quantized"), &config, 0)?;
    let row = &parameters["bert.encoder.layer.0.intermediate.dense.weight"][..16];
    let step = row.iter().fold(0f32, |most, w| most.max(w.abs())) / 127.0;
    assert!(row.iter().any(|w| (w / step - (w / step).round()).abs() > 0.1), "{row:?}");
    Ok(())
}

#[test]
fn dropout_is_applied_while_training_only() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 4);
    let trained = |out: &str, dropout| -> Result<Vec<u8>> {
        run(&FinetuneOptions { dropout, ..options(root.path(), out, 1, None) })?;
        Ok(std::fs::read(root.path().join(out).join("model.safetensors"))?)
    };
    let none = trained("none", (Some(0.0), Some(0.0)))?;
    let hidden = trained("hidden", (Some(0.1), Some(0.0)))?;
    let attention = trained("attention", (Some(0.0), Some(0.1)))?;
    let configured = trained("configured", (None, None))?;
    assert!(none != hidden && none != attention && hidden != attention);
    assert!(configured == trained("both", (Some(0.1), Some(0.1)))?, "10 % is the default of both");
    let dataset = Dataset::read(root.path().join("data.json"))?;
    let measured = || -> Result<_> {
        let options = EvaluateOptions { windows: WINDOWS, ..EvaluateOptions::default() };
        Ok(evaluate(&root.path().join("configured"), &dataset, options, &Device::Cpu)?.predicted)
    };
    assert_eq!(measured()?, measured()?);
    Ok(())
}

#[test]
fn two_small_batches_make_the_step_of_a_large_one() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 4);
    let trained = |out: &str, batch_size, accumulation| -> Result<_> {
        let dropout = (Some(0.0), Some(0.0));
        let plain = options(root.path(), out, 2, None);
        // Where a gradient is nothing but rounding, Adam would make steps of any sign of it.
        let optimizer = AdamWOptions { eps: 1e-4, ..AdamWOptions::default() };
        run(&FinetuneOptions { batch_size, accumulation, dropout, optimizer, ..plain })?;
        Ok(checkpoint::load(&root.path().join(out), &config, 0)?.0)
    };
    let (large, small) = (trained("large", 4, 1)?, trained("small", 2, 2)?);
    for (name, values) in large {
        for (a, b) in values.iter().zip(&small[&name]) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} and {b}");
        }
    }
    Ok(())
}

/// Losses and tokens of the steps.
fn steps(out: &Path) -> Result<Vec<(f64, usize)>> {
    let records = metrics::read(out)?;
    let step = |record: &metrics::Record| match *record {
        metrics::Record::Step { loss, tokens, .. } => Some((loss, tokens)),
        metrics::Record::Evaluation { .. } => None,
    };
    Ok(records.iter().filter_map(step).collect())
}

#[test]
fn the_loss_of_the_report_is_the_end_of_its_smoothed_curve() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 4);
    let curve = |out: &Path| -> Result<Option<f64>> {
        let losses = steps(out)?.into_iter().enumerate();
        Ok(losses.fold(None, |before, (index, (loss, _))| Some(metrics::smoothed(before, loss, index + 1))))
    };
    let half = options(root.path(), "out", 3, None);
    assert_eq!(Some(run(&half)?.loss), curve(&half.out)?);
    // Also where the run went on later.
    let saving = Saving { resume: true, ..Saving::default() };
    let whole = FinetuneOptions { epochs: 6, saving, ..half };
    assert_eq!(Some(run(&whole)?.loss), curve(&whole.out)?);
    Ok(())
}

/// Where a process of its own, whose messages are read, finds the model.
const ROOT: &str = "BLOCKSPAN_TEST_MEMORY";

#[test]
fn a_batch_that_memory_is_too_small_for_is_halved_and_the_step_kept() -> Result<()> {
    let dropout = (Some(0.0), Some(0.0));
    let run_with = |root: &Path, out: &str, (batch_size, accumulation), fits: Option<Fits>| {
        let plain = options(root, out, 6, Some(Pruning::one_shot(Pattern::OutputBlock, 0.5)));
        // Where a gradient is nothing but rounding, Adam would make steps of any sign of it.
        let optimizer = AdamWOptions { eps: 1e-4, ..AdamWOptions::default() };
        let options = FinetuneOptions {
            batch_size,
            accumulation,
            dropout,
            optimizer,
            shrink_batch: fits.is_some(),
            ..plain
        };
        finetune(&options, Runtime { fits, ..Runtime::on(&Device::Cpu) })
    };
    if let Some(root) = std::env::var_os(ROOT) {
        let fits: Fits = Box::new(|windows| windows <= 2);
        run_with(Path::new(&root), "halved", (4, 1), Some(fits))?;
        return Ok(());
    }
    let root = tempfile::tempdir()?;
    let root = root.path();
    let config = common::write_base(root, 4);

    // From the first step on: the run that had that batch from the start, in every bit.
    let mut child = Command::new(std::env::current_exe()?);
    let name = "a_batch_that_memory_is_too_small_for_is_halved_and_the_step_kept";
    let output = child.args(["--exact", name, "--nocapture"]).env(ROOT, root).output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let told = "out of memory with 4 windows at once: going on with 2; steps keep their windows";
    assert_eq!(messages.matches(told).count(), 1, "{messages}");
    run_with(root, "small", (2, 2), None)?;
    assert_eq!(steps(&root.join("halved"))?, steps(&root.join("small"))?);
    let weights = |out: &str| std::fs::read(root.join(out).join("model.safetensors"));
    assert!(weights("halved")? == weights("small")?, "the weights differ");
    // A run that is resumed does not try the large batch again.
    let last = std::fs::read_dir(root.join("halved/checkpoints"))?.next().context("no checkpoint")??;
    let state: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(last.path().join("training.json"))?)?;
    assert_eq!(state["batch_size"], 2);

    // In the middle of a step: what its first batches gave must not count twice.
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&sizes);
    let fits = move |windows: usize| {
        seen.borrow_mut().push(windows);
        seen.borrow().len() < 5 || windows < 2
    };
    run_with(root, "later", (2, 2), Some(Box::new(fits)))?;
    let sizes = sizes.take();
    // An epoch is a step of one window and one of four; the second batch of the third step finds no room.
    assert_eq!(sizes[..5], [1, 2, 2, 2, 2], "{sizes:?}");
    assert!(sizes[5..].iter().all(|&windows| windows == 1), "{sizes:?}");
    run_with(root, "single", (1, 4), None)?;
    let (later, single) = (steps(&root.join("later"))?, steps(&root.join("single"))?);
    assert_eq!(later.len(), single.len());
    for (a, b) in later.iter().zip(&single) {
        assert!((a.0 - b.0).abs() < 1e-4 && a.1 == b.1, "{later:?} and {single:?}");
    }
    let parameters =
        |out: &str| checkpoint::load(&root.join(out), &config, 0).map(|(parameters, _)| parameters);
    let (later, single) = (parameters("later")?, parameters("single")?);
    for (name, values) in later {
        for (a, b) in values.iter().zip(&single[&name]) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} and {b}");
        }
    }
    Ok(())
}

#[test]
fn without_leave_to_halve_the_batch_memory_that_runs_out_is_an_error() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 4);
    let fits: Fits = Box::new(|windows| windows < 2);
    let runtime = Runtime { fits: Some(fits), ..Runtime::on(&Device::Cpu) };
    let error = finetune(&options(root.path(), "out", 1, None), runtime).expect_err("no room");
    let message = format!("{error:#}");
    assert!(message.contains("no room for 2 windows at once; lower --batch-size"), "{message}");
    assert!(!root.path().join("out/model.safetensors").exists());
    Ok(())
}

#[test]
fn frozen_embeddings_stay() -> Result<()> {
    let root = tempfile::tempdir()?;
    let config = common::write_base(root.path(), 5);
    let frozen = FinetuneOptions { freeze_embeddings: true, ..options(root.path(), "out", 1, None) };
    run(&frozen)?;
    let (before, _) = checkpoint::load(&root.path().join("base"), &config, 0)?;
    let (after, _) = checkpoint::load(&root.path().join("out"), &config, 0)?;
    for (name, values) in before {
        if name.starts_with("bert.embeddings.") {
            assert_eq!(values, after[&name], "{name} moved");
        } else {
            assert_ne!(values, after[&name], "{name} stayed");
        }
    }
    Ok(())
}

#[test]
fn time_ends_a_run_and_what_was_learnt_is_saved() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 6);
    let short = FinetuneOptions {
        max_time: Some(Duration::from_millis(300)),
        saving: Saving { every: Some(Duration::ZERO), ..Saving::default() },
        ..options(root.path(), "out", 1_000_000, None)
    };
    let report = run(&short)?;
    assert!(report.steps > 0 && report.steps < 3_000_000);
    assert_ne!(
        std::fs::read(root.path().join("out/model.safetensors"))?,
        std::fs::read(root.path().join("base/model.safetensors"))?
    );
    Ok(())
}

#[test]
fn what_cannot_be_trained_is_refused() -> Result<()> {
    let root = tempfile::tempdir()?;
    common::write_base(root.path(), 8);
    let refused = |options: FinetuneOptions| format!("{:#}", run(&options).expect_err("refused"));
    let plain = options(root.path(), "out", 1, None);

    let lock = refused(FinetuneOptions { pruning: Some(Pruning::Lock { pattern: None }), ..plain.clone() });
    assert!(lock.contains("no pruned matrix to lock"), "{lock}");

    let long = WindowOptions { max_seq_len: 384, doc_stride: 128 };
    let message = refused(FinetuneOptions { windows: long, ..plain.clone() });
    assert!(message.contains("--max-seq-len 384 exceeds the model's 24"), "{message}");

    let moved = common::DATA.replacen("\"answer_start\": 25", "\"answer_start\": 24", 1);
    std::fs::write(root.path().join("moved.json"), moved)?;
    let message = refused(FinetuneOptions { train: vec![root.path().join("moved.json")], ..plain });
    for part in ["moved.json: ", "1 of 5 questions: article 0, paragraph 1, question 1 (5)"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!root.path().join("out").exists(), "nothing is written before a run is known to be possible");
    Ok(())
}
