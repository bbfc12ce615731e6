//! What a run measures on its way and writes down: evaluations, checkpoints, the page that tells of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use blockspan_squad::Scores;

use super::Session;
use crate::checkpoint::{self, Parameters};
use crate::config::Matrix;
use crate::prune::pattern::Census;
use crate::prune::{Pruner, assert_pruned};
use crate::quantization::Smoothing;
use crate::train::metrics::{self, Record};
use crate::train::state::Best;
use crate::train::{report, tensors};

/// An evaluation.
pub(super) struct Evaluated {
    pub(super) step: usize,
    pub(super) scores: Scores,
    /// Texts by question id.
    pub(super) predictions: BTreeMap<String, String>,
}

impl Session<'_> {
    /// Evaluates and saves where it is time to.
    pub(super) fn measure_and_save(&mut self, per_epoch: usize) -> Result<()> {
        let step = self.state.step;
        let is_best = match self.options.eval_every {
            Some(every) if step.is_multiple_of(every) => self.evaluate()?,
            _ => false,
        };
        let due = self.options.saving.every_steps.is_some_and(|every| step.is_multiple_of(every))
            || self.options.saving.every.is_some_and(|every| self.saved.1.elapsed() >= every);
        let epoch_ends = step.is_multiple_of(per_epoch);
        if is_best || due || epoch_ends {
            self.save()?;
        }
        if epoch_ends {
            self.progress.line(&format!("epoch {} done", step / per_epoch));
        }
        Ok(())
    }

    /// Measures the network and returns whether it was never better.
    pub(super) fn evaluate(&mut self) -> Result<bool> {
        let step = self.state.step;
        let (Some(measure), Some(metrics)) = (&self.measure, &mut self.metrics) else { return Ok(false) };
        if self.evaluated.as_ref().is_some_and(|evaluated| evaluated.step == step) {
            return Ok(false);
        }
        let (scores, predictions) = measure.scores(&self.model, self.pad, &self.runtime.device)?;
        let (exact_match, f1) = (scores.exact_match, scores.f1);
        self.progress.line(&format!("step {step}  EM {exact_match:.2}  F1 {f1:.2}"));
        metrics.add(&Record::Evaluation { step, exact_match, f1, seconds: self.state.seconds })?;
        self.evaluated = Some(Evaluated { step, scores, predictions });
        let is_best = self.state.best.is_none_or(|best| f1 > best.f1);
        if is_best {
            self.state.best = Some(Best { step, exact_match, f1 });
        }
        Ok(is_best)
    }

    /// Writes the checkpoint of this step, unless there is one.
    pub(super) fn save(&mut self) -> Result<()> {
        let step = self.state.step;
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        if self.saved.0 == step {
            return Ok(());
        }
        let parameters = self.variables.to_parameters()?;
        for (name, values) in &parameters {
            ensure!(
                values.iter().all(|v| v.is_finite()),
                "step {step}: {name} is no longer finite; lower --lr"
            );
        }
        assert_pruned(&parameters, &self.masks)?;
        metrics.sync()?;
        self.store.write(step, |path| {
            self.save_network(path, &parameters)?;
            tensors::write(path, &self.optimizer, &self.masks, self.pruner.as_ref().map(Pruner::statistics))?;
            self.state.write(path)
        })?;
        self.store.retain(self.options.saving.keep, self.state.best.map(|best| best.step))?;
        self.saved = (step, Instant::now());
        Ok(())
    }

    /// Writes a model directory, its weights last.
    pub(super) fn save_network(&self, directory: &Path, parameters: &Parameters) -> Result<()> {
        match &self.smoothing {
            Some(smoothing) => smoothing.save(directory)?,
            None => Smoothing::remove(directory)?,
        }
        checkpoint::save(directory, &self.options.base, &self.config, parameters)
    }

    /// Writes the page that tells of the run.
    pub(super) fn report(&self, parameters: &Parameters) -> Result<()> {
        let density = |matrix: Matrix| {
            let weights = parameters.get(&matrix.name).map_or(&[][..], Vec::as_slice);
            1.0 - Census::new(weights, matrix.inputs).sparsity()
        };
        let evaluation = self.measure.as_ref().zip(self.evaluated.as_ref());
        report::write(&report::Run {
            out: &self.options.out,
            config: &self.config,
            recipe: &self.state.recipe,
            records: &metrics::read(&self.options.out)?,
            densities: &self.config.prunable().into_iter().map(density).collect::<Vec<_>>(),
            steps: self.state.step,
            tokens: self.state.tokens,
            seconds: self.state.seconds,
            loss: self.state.loss.unwrap_or(0.0),
            sparsity: self.sparsity,
            evaluation: evaluation.map(|(measure, evaluated)| report::Evaluated {
                dataset: &measure.dataset,
                predictions: &evaluated.predictions,
                scores: evaluated.scores,
            }),
            device: &self.runtime.device,
        })
    }
}
