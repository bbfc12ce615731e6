//! What changes the network between two steps: masks, and the factors of quantization.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use candle_core::Tensor;

use super::Session;
use crate::calibration;
use crate::model::{BertForQuestionAnswering, Variables};
use crate::prune::{Masks, Pruner};
use crate::train::optimizer::Gradients;

impl Session<'_> {
    /// Prunes before a step, given the share of the run that is done and the step's windows, or at the end of the
    /// run, if it is time to.
    pub(super) fn prune(&mut self, before: Option<(f64, &[usize])>) -> Result<()> {
        let start = Instant::now();
        let Some(mut pruner) = self.pruner.take() else { return Ok(()) };
        let masks = match before {
            Some((done, indices)) => {
                if pruner.needs_gradients(done) {
                    let gradients = self.shared_gradients(indices)?.0;
                    observe(&mut pruner, &self.variables, &gradients)?;
                }
                pruner.before_step(self.state.step, done, &self.variables, &self.masks)?
            }
            None => pruner.finish(&self.variables, &self.masks)?,
        };
        self.pruner = Some(pruner);
        let Some(masks) = masks else { return Ok(()) };
        self.install(masks)?;
        self.progress.line(&format!(
            "step {}: {:.1} % of the encoder pruned, in {:.1} s",
            self.state.step,
            100.0 * self.sparsity,
            start.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Prunes what these masks prune from now on: weights and their moments become 0 and stay so.
    pub(super) fn install(&mut self, masks: Masks) -> Result<()> {
        let mut tensors = BTreeMap::new();
        for (name, mask) in &masks {
            let weight = self.variables.get(name)?;
            let mask = Tensor::from_slice(mask, weight.shape(), &self.runtime.device)?;
            self.variables.set(name, &(weight * &mask)?)?;
            self.optimizer.mask(name, &mask)?;
            tensors.insert(name.clone(), mask);
        }
        let zeros = masks.values().flatten().filter(|&&m| m == 0.0).count();
        let weights: usize = self.config.prunable().iter().map(|m| m.outputs * m.inputs).sum();
        self.sparsity = zeros as f64 / weights.max(1) as f64;
        let model = BertForQuestionAnswering::new(&self.config, &self.variables, &tensors)?;
        let model = model.with_dtype(self.options.dtype).with_quantization(self.options.quantized);
        self.model = match &self.smoothing {
            Some(smoothing) => model.with_smoothing(smoothing)?,
            None => model,
        };
        self.masks = masks;
        Ok(())
    }

    /// Quantization-aware: measures the activations before the first step, and divides their outliers from now on as
    /// the packed model will.
    pub(super) fn smooth(&mut self) -> Result<()> {
        if !self.options.quantized {
            return Ok(());
        }
        let batches = calibration::smoothing_batches(&self.data, self.pad, &self.runtime.device)?;
        let plain = BertForQuestionAnswering::new(&self.config, &self.variables, &BTreeMap::new())?;
        self.smoothing = Some(calibration::measure_smoothing(&plain, &self.variables, &batches)?);
        let masks = core::mem::take(&mut self.masks);
        self.install(masks)
    }
}

/// Shows a step's gradients to the pruner.
pub(super) fn observe(pruner: &mut Pruner, variables: &Variables, gradients: &Gradients) -> Result<()> {
    let by_name: BTreeMap<&str, &Tensor> = variables
        .vars()
        .enumerate()
        .filter_map(|(index, (name, _))| Some((name, gradients.get(index)?)))
        .collect();
    pruner.observe(variables, |name| by_name.get(name).copied())
}
