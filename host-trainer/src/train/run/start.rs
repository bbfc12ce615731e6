//! What happens before the first step.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use blockspan_engine::xxh64;

use super::checkpoints::Checkpoints;
use super::log::RunLog;
use super::runtime::Runtime;
use super::training_run::{TrainingData, TrainingRun};
use crate::calibration;
use crate::card::Card;
use crate::checkpoint;
use crate::config::Config;
use crate::ops::Products;
use crate::prune::Masks;
use crate::tokenizer::Tokenizer;
use crate::train::evaluator::Evaluator;
use crate::train::learner::{Learner, Start};
use crate::train::metrics::Metrics;
use crate::train::options::{DTYPE, FinetuneOptions, FinetuneReport, WORKERS};
use crate::train::setup;
use crate::train::state::State;
use crate::train::store::Store;
use crate::train::teacher::{Teacher, TeacherNetwork};
use crate::{output, pack};

/// Fine-tunes as `options` say and writes a Hugging Face directory, with checkpoints on the way.
///
/// # Errors
/// Anything wrong with the files, named with its place; a loss that is no longer finite; a failure to
/// write. The checkpoints that were saved before stay whole.
pub fn finetune(options: &FinetuneOptions, mut runtime: Runtime) -> Result<FinetuneReport> {
    check(options, &runtime)?;
    let device = &runtime.device.clone();
    let config = Config::read(&options.base)?;
    options.windows.check(&config).with_context(|| options.base.display().to_string())?;
    let tokenizer = Tokenizer::read(&options.base)?;
    tokenizer.check(&config).with_context(|| options.base.display().to_string())?;
    if let Err(error) = pack::check_tokenizer(&options.base, &config) {
        setup::note(&format!("`pack` will refuse this tokenizer: {error:#}"));
    }
    let (features, unanswerable) = setup::training_features(options, &tokenizer)?;
    let data = TrainingData { features, unanswerable, pad: tokenizer.pad };
    let evaluator =
        options.eval.as_deref().map(|path| Evaluator::new(path, options, &tokenizer)).transpose()?;
    let card = Card::of_run(&options.base, &options.train, options.windows)?;
    let store = Store::new(&options.out);
    let mut recipe = options.recipe();
    let workers = runtime.workers();
    // Not named where there is one, so that runs which began before there was such a flag can go on.
    recipe.extend((workers > 1).then(|| (WORKERS.to_owned(), workers.to_string())));
    let mut state = State::new(recipe, &data.features, options.batch_size);
    let last = store.steps()?.last().copied();
    let per_epoch = data.features.len().div_ceil(runtime.step_windows(options));
    let mut steps_before = options.steps(per_epoch);
    let (mut dtype_before, mut shares_otherwise) = (None, false);
    let (parameters, masks) = match last.filter(|_| options.saving.resume) {
        Some(step) => {
            let saved = State::read(&store.path(step))?;
            saved.check(&state, per_epoch)?;
            steps_before = saved.steps(per_epoch);
            dtype_before = saved.value(DTYPE).map(str::to_owned);
            shares_otherwise = state.shares_otherwise(&saved);
            let now = core::mem::replace(&mut state, saved);
            state.recipe = now.recipe;
            if shares_otherwise {
                state.batch_size = now.batch_size;
            }
            (checkpoint::load(&store.path(step), &config, options.seed)?.0, Masks::new())
        }
        None => {
            if !(options.saving.resume || options.saving.overwrite) {
                store.check_empty()?;
            }
            let mut parameters = checkpoint::load_base(&options.base, &config, options.seed)?;
            let masks = setup::first_masks(options, &config, &mut parameters)?;
            (parameters, masks)
        }
    };
    let pruner = setup::pruner(options, &config, &data.features, data.pad, device)?;
    let teacher = options
        .teacher
        .as_deref()
        .map(|path| TeacherNetwork::load(path, &config, options, device))
        .transpose()?;
    // Nothing is written before this line.
    let (metrics, _lock) = if runtime.exchange.rank() == 0 {
        output::check_writable(&options.out)?;
        let lock = lock(&options.out)?;
        if state.step == 0 {
            store.clear()?;
        }
        store.prepare()?;
        (Some(Metrics::open(&options.out, state.step)?), lock)
    } else {
        (None, None)
    };
    check_agreement(&mut runtime, &state)?;
    // Before the clock of the run starts.
    let teacher = prepare(teacher, options, &data, &mut runtime)?;
    let log = RunLog::new(metrics, &state);
    let checkpoint = store.path(state.step);
    let start = if state.step > 0 {
        Start::Checkpoint { directory: &checkpoint, step: state.step }
    } else {
        let smoothing_batches = match options.quantized {
            true => calibration::smoothing_batches(&data.features, data.pad, device)?,
            false => Vec::new(),
        };
        Start::Fresh { masks, smoothing_batches }
    };
    let learner = Learner::new(options, config, &parameters, start, pruner, teacher, device)?;
    drop(parameters);
    if state.step > 0 {
        log.line(&format!("resumed from {}", checkpoint.display()));
    }
    let dtype = options.dtype.as_str();
    if let Some(before) = dtype_before.filter(|before| before != dtype) {
        log.line(&format!(
            "the run had --dtype {before} and goes on with {dtype}: weights are f32 with both"
        ));
    }
    if shares_otherwise {
        log.line(
            "the windows of a step are shared out in another way than before: sums are rounded otherwise",
        );
    }
    let steps = options.steps(per_epoch);
    if steps > steps_before {
        log.line(&format!(
            "the run had {steps_before} steps and now has {steps}: learning rate and pruning go on as in a run of \
             that length"
        ));
    }
    let checkpoints = Checkpoints::new(store, &options.saving, state.step);
    TrainingRun {
        options,
        runtime,
        data,
        learner,
        evaluator,
        card,
        state,
        checkpoints,
        log,
        exchange_seconds: None,
    }
    .run()
}

/// Checks that all workers are about to do the same.
fn check_agreement(runtime: &mut Runtime, state: &State) -> Result<()> {
    let State { step, tokens, recipe, data, .. } = state;
    let all = format!("{step} {tokens} {data} {recipe:?} {}", env!("CARGO_PKG_VERSION"));
    ensure!(
        runtime.agree(xxh64(all.as_bytes()))?,
        "worker {}: the workers differ in their options, training data or checkpoint; start all with the same, and with \
         an --out that all of them see",
        runtime.exchange.rank()
    );
    Ok(())
}

/// The teacher of the run. Where it has windows to read for a cache, one worker of each machine reads them, and the others
/// wait for it.
fn prepare(
    teacher: Option<TeacherNetwork>,
    options: &FinetuneOptions,
    data: &TrainingData,
    runtime: &mut Runtime,
) -> Result<Option<Teacher>> {
    let Some(teacher) = teacher else { return Ok(None) };
    let waits = options.teacher_cache.is_some();
    let is_first = runtime.exchange.local_rank() == 0;
    if waits && !is_first {
        runtime.meet()?;
    }
    let (interrupt, device) = (&runtime.interrupt, &runtime.device);
    let teacher = teacher.prepare(options, &data.features, data.pad, interrupt, device)?;
    if waits && is_first {
        runtime.meet()?;
    }
    Ok(Some(teacher))
}

/// Keeps other runs out of a directory for as long as the result lives. Where directories cannot be locked nothing is.
///
/// # Errors
/// Another run that is writing to it.
fn lock(out: &Path) -> Result<Option<File>> {
    let Ok(directory) = File::open(out) else { return Ok(None) };
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bail!("{}: another run is writing to it; wait for its end, or give another --out", out.display())
        }
        _ => Ok(Some(directory)),
    }
}

/// Checks what the types allow but no run can use.
fn check(options: &FinetuneOptions, runtime: &Runtime) -> Result<()> {
    ensure!(options.epochs > 0, "--epochs 0: give at least 1");
    ensure!(options.max_steps != Some(0), "--max-steps 0: give at least 1");
    ensure!(options.batch_size > 0, "--batch-size 0: give at least 1");
    ensure!(options.accumulation > 0, "--gradient-accumulation 0: give at least 1");
    ensure!(options.saving.every_steps != Some(0), "--save-every 0: give at least 1");
    ensure!(options.eval_every != Some(0), "--eval-every 0: give at least 1");
    ensure!(
        (0.0..1.0).contains(&options.unanswerable_rate),
        "--unanswerable-rate {}: give a share from 0 to below 1",
        options.unanswerable_rate
    );
    if options.teacher_cache.is_some() {
        ensure!(options.teacher.is_some(), "--teacher-cache needs --teacher, whose logits it keeps");
        let weights = &options.weights;
        ensure!(
            weights.hidden == 0.0,
            "--teacher-cache keeps logits, but --hidden-weight {} needs the teacher's hidden states, a thousand times \
             as much; leave out one of them",
            weights.hidden
        );
        ensure!(
            options.unanswerable_rate == 0.0 || weights.null_distill == 0.0,
            "--teacher-cache holds nothing for the windows that --unanswerable-rate draws in each epoch; leave out it \
             or --null-distill-weight"
        );
    }
    // Before anything is read: what this machine cannot multiply.
    Products::new(options.dtype, &runtime.device)?;
    Ok(())
}
