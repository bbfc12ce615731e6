//! One step of the optimizer.

use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{Device, Tensor};

use super::Session;
use super::install::observe;
use crate::features::Batch;
use crate::ops::derive_key;
use crate::train::loss::loss;
use crate::train::memory::with_less_memory;
use crate::train::optimizer::Gradients;

/// Smooths the loss: the weight of the newest step.
const NEWEST: f64 = 0.05;

/// What one step showed.
pub(super) struct Step {
    pub(super) loss: f64,
    pub(super) tokens: usize,
    pub(super) gradient_norm: f64,
    pub(super) seconds: f64,
}

impl Session<'_> {
    /// One step of the optimizer on the windows of these indices.
    pub(super) fn step(&mut self, indices: &[usize], rate: f64) -> Result<Step> {
        let start = Instant::now();
        let (gradients, loss) = self.shared_gradients(indices)?;
        let number = self.state.step + 1;
        let stepped = if loss.is_finite() {
            self.optimizer.step(&gradients, rate, self.options.max_grad_norm)
        } else {
            Err(anyhow!("the loss is {loss}; lower --lr"))
        };
        let gradient_norm =
            stepped.with_context(|| match self.store.steps().ok().and_then(|s| s.last().copied()) {
                Some(last) => format!("step {number} (the checkpoint of step {last} stays)"),
                None => format!("step {number}"),
            })?;
        if let Some(pruner) = &mut self.pruner {
            observe(pruner, &self.variables, &gradients)?;
        }
        let tokens = indices.iter().map(|&i| self.data[i].input_ids.len()).sum();
        self.state.step = number;
        self.state.tokens += tokens;
        self.state.loss = Some(self.state.loss.map_or(loss, |old| old + NEWEST * (loss - old)));
        Ok(Step { loss, tokens, gradient_norm, seconds: start.elapsed().as_secs_f64() })
    }

    /// The gradients of the mean loss over the windows of these indices, and that loss: of all workers together.
    pub(super) fn shared_gradients(&mut self, indices: &[usize]) -> Result<(Gradients, f64)> {
        let (rank, workers) = (self.runtime.exchange.rank(), self.runtime.exchange.workers().max(1));
        let share = indices.len().div_ceil(workers);
        let mine = indices.chunks(share.max(1)).nth(rank).unwrap_or_default();
        let mut batch_size = self.state.batch_size;
        let (mut gradients, loss) = with_less_memory(&mut batch_size, self.options.shrink_batch, |size| {
            self.gradients(mine, indices.len(), size)
        })?;
        if batch_size != self.state.batch_size {
            self.progress.line(&format!(
                "out of memory with {} windows at once: going on with {batch_size}; steps keep their windows",
                self.state.batch_size
            ));
            self.state.batch_size = batch_size;
        }
        let mut loss = Tensor::new(loss, &Device::Cpu)?;
        if workers > 1 {
            let mut all = gradients.all(self.optimizer.vars())?;
            all.push(&mut loss);
            self.runtime.exchange.sum(&mut all)?;
        }
        Ok((gradients, loss.to_scalar::<f64>()?))
    }

    /// The gradients of the mean loss over `of` windows, and that loss, as far as `mine` contribute to them. The
    /// network reads `batch_size` windows at once.
    fn gradients(&self, mine: &[usize], of: usize, batch_size: usize) -> Result<(Gradients, f64)> {
        let mut gradients = Gradients::default();
        let mut total = 0.0;
        let rates = self.options.dropout(&self.config);
        let key = derive_key(self.options.seed, self.state.step as u64);
        let key = derive_key(key, self.runtime.exchange.rank() as u64);
        for (number, indices) in mine.chunks(batch_size.max(1)).enumerate() {
            if let Some(fits) = &self.runtime.fits {
                ensure!(fits(indices.len()), "out of memory: {} windows are over the limit", indices.len());
            }
            let batch = Batch::new(&self.data, indices, self.pad, &self.runtime.device)?;
            let output = self.model.forward_training(&batch.input, rates, derive_key(key, number as u64))?;
            let teacher = self.teacher.as_ref().map(|teacher| teacher.forward(&batch.input)).transpose()?;
            let share = indices.len() as f64 / of as f64;
            let loss = (loss(&output, teacher.as_ref(), &batch, self.options.weights)? * share)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            total += value;
            if !value.is_finite() {
                break;
            }
            gradients.add(self.optimizer.vars(), loss.backward()?)?;
        }
        Ok((gradients, total))
    }
}
