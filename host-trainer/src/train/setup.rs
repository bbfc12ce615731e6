//! What a run reads before its first step.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use blockspan_squad::Dataset;
use candle_core::Device;

use super::options::{FinetuneOptions, Pruning};
use super::unanswerable::Unanswerable;
use crate::calibration;
use crate::checkpoint::Parameters;
use crate::config::Config;
use crate::features::{Feature, Labels, features};
use crate::output;
use crate::prune::{self, Masks, Pruner, Score};
use crate::tokenizer::Tokenizer;

/// The windows of all training files, one after another, and what replaces some of them in each epoch.
pub(super) fn training_features(
    options: &FinetuneOptions,
    tokenizer: &Tokenizer,
) -> Result<(Vec<Feature>, Option<Unanswerable>)> {
    let mut all = Vec::new();
    let mut unanswerable = (options.unanswerable_rate > 0.0)
        .then(|| Unanswerable::new(options.unanswerable_rate, options.seed, options.windows, tokenizer));
    for path in &options.train {
        let dataset = training_data(path, options.skip_bad_answers)?;
        let windows = features(&dataset, tokenizer, options.windows, Labels::Train);
        let windows = windows.with_context(|| path.display().to_string())?;
        if let Some(unanswerable) = &mut unanswerable {
            unanswerable.add(dataset, &windows, tokenizer).with_context(|| path.display().to_string())?;
        }
        all.extend(windows);
    }
    ensure!(!all.is_empty(), "--train: the files hold no question");
    Ok((all, unanswerable))
}

/// The questions of a training file, each with an answer at its place, or known to have none.
fn training_data(path: &Path, skip_bad_answers: bool) -> Result<Dataset> {
    let mut dataset = Dataset::read(path)?;
    dataset.check_labeled().context("--train")?;
    let total = dataset.questions().count();
    dataset.notes().iter().for_each(|line| note(line));
    let Err(error) = dataset.check_answers() else { return Ok(dataset) };
    ensure!(skip_bad_answers, "{error}; --skip-bad-answers leaves them out");
    let removed = dataset.remove_bad_answers();
    note(&format!("{error}; these {removed} of {total} questions are left out"));
    Ok(dataset)
}

/// A line on standard error, if anybody reads there.
pub(super) fn note(line: &str) {
    output::remark(&format!("note: {line}"));
}

/// The masks with which a run begins: those of the checkpoint that it locks. What they prune is set to 0.
pub(super) fn first_masks(
    options: &FinetuneOptions,
    config: &Config,
    parameters: &mut Parameters,
) -> Result<Masks> {
    let masks = match options.pruning {
        None | Some(Pruning::Plan { .. }) => Masks::new(),
        Some(Pruning::Lock { pattern }) => {
            prune::lock(config, parameters, pattern).with_context(|| options.base.display().to_string())?.0
        }
    };
    prune::apply(parameters, &masks);
    Ok(masks)
}

/// What prunes in the course of a run, with every n-th window of the data to measure by.
pub(super) fn pruner(
    options: &FinetuneOptions,
    config: &Config,
    data: &[Feature],
    pad: u32,
    device: &Device,
) -> Result<Option<Pruner>> {
    let Some(Pruning::Plan { plan, calibration: windows }) = options.pruning else { return Ok(None) };
    let inputs = match plan.score {
        Score::Obs => calibration::batches(data, windows, options.batch_size, pad, device)?,
        Score::Magnitude | Score::Taylor => Vec::new(),
    };
    Pruner::new(config, plan, inputs).map(Some)
}
