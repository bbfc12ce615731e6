//! One step of the optimizer, and pruning between two of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};

use super::network::Network;
use crate::checkpoint::Parameters;
use crate::config::Config;
use crate::features::Batch;
use crate::model::{BertForQuestionAnswering, DropoutKey, DropoutRates, Input, Output};
use crate::prune::{Masks, Pruner, assert_pruned};
use crate::quantization::Smoothing;
use crate::train::loss::{Weights, loss};
use crate::train::optimizer::{AdamW, Gradients};
use crate::train::options::FinetuneOptions;
use crate::train::teacher::Teacher;
use crate::train::tensors;

/// Where a learner begins.
pub(in crate::train) enum Start<'a> {
    /// Before the first step.
    Fresh {
        /// The masks with which the run begins.
        masks: Masks,
        /// What the activations are measured on for quantization-aware training.
        smoothing_batches: Vec<Input>,
    },
    /// After the steps of a checkpoint.
    Checkpoint {
        /// Its directory.
        directory: &'a Path,
        /// Steps of the optimizer that it was saved after.
        step: usize,
    },
}

/// The network that is trained, with everything that changes it.
pub(in crate::train) struct Learner {
    network: Network,
    optimizer: AdamW,
    /// Nothing where the masks stay as they are.
    pruner: Option<Pruner>,
    teacher: Option<Teacher>,
    weights: Weights,
    dropout: DropoutRates,
    max_grad_norm: f64,
    recompute: bool,
}

impl Learner {
    /// Builds the network of these parameters as `options` say.
    pub(in crate::train) fn new(
        options: &FinetuneOptions,
        config: Config,
        parameters: &Parameters,
        start: Start<'_>,
        mut pruner: Option<Pruner>,
        teacher: Option<Teacher>,
        device: &Device,
    ) -> Result<Self> {
        let dropout = options.dropout(&config);
        let mut network = Network::new(config, parameters, options.freeze_embeddings, device)?;
        let mut optimizer = AdamW::new(network.variables.vars(), options.optimizer)?;
        let smoothing = match start {
            Start::Fresh { masks, smoothing_batches } => {
                set_masks(&mut network, &mut optimizer, masks)?;
                let measure = || network.measure_smoothing(&smoothing_batches);
                options.quantized.then(measure).transpose()?
            }
            Start::Checkpoint { directory, step } => {
                let (masks, statistics) = tensors::read(directory, &mut optimizer, step)?;
                set_masks(&mut network, &mut optimizer, masks)?;
                if let Some(pruner) = &mut pruner {
                    pruner.restore(statistics);
                }
                Smoothing::read(directory, &network.config)?
            }
        };
        let network = network.with_precision(options.dtype, options.quantized, smoothing)?;
        let FinetuneOptions { weights, max_grad_norm, recompute, .. } = *options;
        Ok(Learner { network, optimizer, pruner, teacher, weights, dropout, max_grad_norm, recompute })
    }

    /// The network as it is now.
    pub(in crate::train) fn model(&self) -> &BertForQuestionAnswering {
        &self.network.model
    }

    /// Its configuration.
    pub(in crate::train) fn config(&self) -> &Config {
        &self.network.config
    }

    /// The share of the encoder's weights that is pruned.
    pub(in crate::train) fn sparsity(&self) -> f64 {
        self.network.sparsity
    }

    /// Adds the gradients of `share` times the mean loss over a batch of these windows to `gradients`, and returns that
    /// part of the loss; one that is not finite adds nothing. What dropout drops follows from `key`. A window without a
    /// number is none of the training data's own.
    pub(in crate::train) fn add_gradients(
        &self,
        batch: &Batch,
        windows: &[Option<usize>],
        share: f64,
        key: DropoutKey,
        gradients: &mut Gradients,
    ) -> Result<f64> {
        let model = &self.network.model;
        let teacher = self.teacher.as_ref().map(|teacher| teacher.output(batch, windows)).transpose()?;
        let loss = |output: &Output| -> Result<Tensor> {
            Ok((loss(output, teacher.as_ref(), batch, self.weights)? * share)?)
        };
        let mut add = |store| gradients.add(self.optimizer.vars(), store);
        if self.recompute {
            return Ok(model.backward_recomputing(&batch.input, self.dropout, key, loss, add)?.into());
        }
        let loss = loss(&model.forward_training(&batch.input, self.dropout, key)?)?;
        let value = loss.to_scalar::<f32>()?;
        if value.is_finite() {
            add(loss.backward()?)?;
        }
        Ok(value.into())
    }

    /// The gradients as tensors to be changed in place, zeros where none arrived: what workers exchange.
    pub(in crate::train) fn all_gradients<'g>(
        &self,
        gradients: &'g mut Gradients,
    ) -> Result<Vec<&'g mut Tensor>> {
        gradients.all(self.optimizer.vars())
    }

    /// One step down the gradients of a loss. Returns their norm before it was clipped.
    pub(in crate::train) fn step(&mut self, gradients: &Gradients, loss: f64, rate: f64) -> Result<f64> {
        ensure!(loss.is_finite(), "the loss is {loss}; lower --lr");
        let norm = self.optimizer.step(gradients, rate, self.max_grad_norm)?;
        self.show_pruner(gradients)?;
        Ok(norm)
    }

    /// Whether [`Self::prune_before_step`] needs gradients when the share `done` of the run is behind it.
    pub(in crate::train) fn pruning_needs_gradients(&self, done: f64) -> bool {
        self.pruner.as_ref().is_some_and(|pruner| pruner.needs_gradients(done))
    }

    /// Prunes if it is time to, before the step that follows `step` others. Returns whether anything was pruned.
    pub(in crate::train) fn prune_before_step(
        &mut self,
        step: usize,
        done: f64,
        gradients: Option<&Gradients>,
    ) -> Result<bool> {
        if let Some(gradients) = gradients {
            self.show_pruner(gradients)?;
        }
        let Some(pruner) = &mut self.pruner else { return Ok(false) };
        let masks = pruner.before_step(step, done, &self.network.variables, &self.network.masks)?;
        self.set_new_masks(masks)
    }

    /// Prunes what a run that was too short left. Returns whether that was anything.
    pub(in crate::train) fn finish_pruning(&mut self) -> Result<bool> {
        let Some(pruner) = &mut self.pruner else { return Ok(false) };
        let masks = pruner.finish(&self.network.variables, &self.network.masks)?;
        self.set_new_masks(masks)
    }

    fn set_new_masks(&mut self, masks: Option<Masks>) -> Result<bool> {
        let Some(masks) = masks else { return Ok(false) };
        set_masks(&mut self.network, &mut self.optimizer, masks)?;
        Ok(true)
    }

    fn show_pruner(&mut self, gradients: &Gradients) -> Result<()> {
        let (Some(pruner), variables) = (&mut self.pruner, &self.network.variables) else { return Ok(()) };
        let by_name: BTreeMap<&str, &Tensor> = variables
            .vars()
            .enumerate()
            .filter_map(|(index, (name, _))| Some((name, gradients.get(index)?)))
            .collect();
        pruner.observe(variables, |name| by_name.get(name).copied())
    }

    /// The weights, copied to the CPU.
    pub(in crate::train) fn parameters(&self) -> Result<Parameters> {
        self.network.variables.to_parameters()
    }

    /// Counts the pruned weights and checks that each is exactly 0.
    pub(in crate::train) fn assert_pruned(&self, parameters: &Parameters) -> Result<usize> {
        assert_pruned(parameters, &self.network.masks)
    }

    /// Writes a model directory of these parameters; the files beside the weights come from the directory `base`.
    pub(in crate::train) fn save(
        &self,
        directory: &Path,
        base: &Path,
        parameters: &Parameters,
    ) -> Result<()> {
        self.network.save(directory, base, parameters)
    }

    /// Writes what a run needs beside the model directory to go on.
    pub(in crate::train) fn save_optimizer(&self, checkpoint: &Path) -> Result<()> {
        let statistics = self.pruner.as_ref().map(Pruner::statistics);
        tensors::write(checkpoint, &self.optimizer, &self.network.masks, statistics)
    }
}

/// Prunes what these masks prune from now on: weights and their moments become 0 and stay so.
fn set_masks(network: &mut Network, optimizer: &mut AdamW, masks: Masks) -> Result<()> {
    for (name, mask) in network.set_masks(masks)? {
        optimizer.mask(&name, &mask)?;
    }
    Ok(())
}
