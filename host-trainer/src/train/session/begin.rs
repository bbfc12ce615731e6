//! What happens before the first step.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use candle_core::DType;

use super::{Runtime, Session};
use crate::checkpoint;
use crate::config::Config;
use crate::model::{BertForQuestionAnswering, Variables};
use crate::prune::Masks;
use crate::quantization::Smoothing;
use crate::tokenizer::Tokenizer;
use crate::train::measure::Measure;
use crate::train::metrics::Metrics;
use crate::train::optimizer::AdamW;
use crate::train::progress::Progress;
use crate::train::state::State;
use crate::train::store::Store;
use crate::train::{Options, Report, setup, tensors};

/// Fine-tunes as `options` say and writes a Hugging Face directory, with checkpoints on the way.
///
/// # Errors
/// Anything wrong with the files, named with its place; a loss that is no longer finite; a failure to
/// write. The checkpoints that were saved before stay whole.
pub fn finetune(options: &Options, runtime: Runtime) -> Result<Report> {
    ensure!(options.batch_size > 0, "--batch-size 0: give at least 1");
    ensure!(options.accumulation > 0, "--gradient-accumulation 0: give at least 1");
    ensure!(options.saving.every_steps != Some(0), "--save-every 0: give at least 1");
    ensure!(options.eval_every != Some(0), "--eval-every 0: give at least 1");
    ensure!(
        !(runtime.device.is_cpu() && options.dtype == DType::BF16),
        "--dtype bf16: the CPU backend multiplies no bf16 matrices; leave it out, or give --device cuda"
    );
    let config = Config::read(&options.base)?;
    options.windows.check(&config)?;
    let tokenizer = Tokenizer::read(&options.base)?;
    tokenizer.check(&config).with_context(|| options.base.display().to_string())?;
    let data = setup::training_features(options, &tokenizer)?;
    let measure = options.eval.as_deref().map(|path| Measure::new(path, options, &tokenizer)).transpose()?;
    let store = Store::new(&options.out);
    let mut state = State::new(options.recipe(), &data, options.batch_size);
    let last = store.steps()?.last().copied();
    let (parameters, masks) = match last.filter(|_| options.saving.resume) {
        Some(step) => {
            let saved = State::read(&store.path(step))?;
            saved.check(&state)?;
            state = saved;
            (checkpoint::load(&store.path(step), &config, options.seed)?.0, Masks::new())
        }
        None => {
            if !(options.saving.resume || options.saving.overwrite) {
                store.check_empty()?;
            }
            let (mut parameters, _) = checkpoint::load(&options.base, &config, options.seed)?;
            let masks = setup::first_masks(options, &config, &mut parameters)?;
            (parameters, masks)
        }
    };
    let pruner = setup::pruner(options, &config, &data, tokenizer.pad, &runtime.device)?;
    let teacher = options
        .teacher
        .as_deref()
        .map(|path| setup::load_teacher(path, &config, options, &runtime.device))
        .transpose()?;
    // Nothing is written before this line.
    let silent = runtime.exchange.rank() != 0;
    let progress = Progress::new(silent);
    let metrics = if silent {
        None
    } else {
        checkpoint::check_writable(&options.out)?;
        if state.step == 0 {
            store.clear()?;
        }
        store.prepare()?;
        Some(Metrics::open(&options.out, state.step)?)
    };
    let variables = Variables::trained(&config, &parameters, &runtime.device, |name| {
        !(options.freeze_embeddings && name.starts_with("bert.embeddings."))
    })?;
    drop(parameters);
    let mut session = Session {
        model: BertForQuestionAnswering::new(&config, &variables, &BTreeMap::new())?,
        optimizer: AdamW::new(variables.vars(), options.optimizer)?,
        masks: Masks::new(),
        smoothing: None,
        pruner,
        sparsity: 0.0,
        resumed: (state.tokens, state.seconds),
        saved: (state.step, Instant::now()),
        start: Instant::now(),
        pad: tokenizer.pad,
        options,
        config,
        variables,
        teacher,
        measure,
        evaluated: None,
        data,
        state,
        store,
        metrics,
        progress,
        runtime,
    };
    if session.state.step > 0 {
        let path = session.store.path(session.state.step);
        let (masks, statistics) = tensors::read(&path, &mut session.optimizer, session.state.step)?;
        session.smoothing = Smoothing::read(&path, &session.config)?;
        session.install(masks)?;
        if let Some(pruner) = &mut session.pruner {
            pruner.restore(statistics);
        }
        session.progress.line(&format!("resumed from {}", path.display()));
    } else {
        session.install(masks)?;
        session.smooth()?;
    }
    session.run()
}
