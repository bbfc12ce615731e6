//! AdamW with decoupled weight decay, and clipping of the gradient.

mod gradients;

pub use gradients::Gradients;

use anyhow::{Context, Result, ensure};
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Tensor, Var};
use rayon::prelude::*;

use crate::ops::{values, values_mut, vectorized};

/// The constants of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decay of weights per step, times the learning rate; not for biases and layer normalization.
    pub weight_decay: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        AdamWOptions { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

struct Slot {
    name: String,
    var: Var,
    decays: bool,
    first: Tensor,
    second: Tensor,
}

/// AdamW (Loshchilov and Hutter): `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
/// `w ← w − lr·(m̂ / (√v̂ + eps) + decay·w)` with the bias-corrected `m̂ = m / (1−β₁ᵗ)`,
/// `v̂ = v / (1−β₂ᵗ)`. Moments are kept in f32.
pub struct AdamW {
    slots: Vec<Slot>,
    options: AdamWOptions,
    steps: i32,
}

impl AdamW {
    /// An optimizer of named variables. Names tell which of them decay.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn new<'a>(vars: impl Iterator<Item = (&'a str, &'a Var)>, options: AdamWOptions) -> Result<Self> {
        let slots = vars
            .map(|(name, var)| {
                Ok(Slot {
                    name: name.to_owned(),
                    decays: !(name.ends_with(".bias") || name.contains("LayerNorm")),
                    first: var.zeros_like()?,
                    second: var.zeros_like()?,
                    var: var.clone(),
                })
            })
            .collect::<Result<_>>()?;
        Ok(AdamW { slots, options, steps: 0 })
    }

    /// The variables, in the order of their gradients.
    pub fn vars(&self) -> impl Iterator<Item = &Var> {
        self.slots.iter().map(|slot| &slot.var)
    }

    /// The first and second moment of each variable, by its name.
    pub fn moments(&self) -> impl Iterator<Item = (&str, [&Tensor; 2])> {
        self.slots.iter().map(|slot| (slot.name.as_str(), [&slot.first, &slot.second]))
    }

    /// Takes up where an optimizer stood after `steps` steps. `read` gives the values and the shape of a moment, by its
    /// kind, `first` or `second`, and the name of its variable.
    ///
    /// # Errors
    /// What `read` fails with, and moments of another shape than their variable.
    pub fn restore(
        &mut self,
        steps: usize,
        mut read: impl FnMut(&str, &str) -> Result<(Vec<f32>, Vec<usize>)>,
    ) -> Result<()> {
        for slot in &mut self.slots {
            for (kind, moment) in [("first", &mut slot.first), ("second", &mut slot.second)] {
                let (values, shape) = read(kind, &slot.name)?;
                ensure!(
                    shape == slot.var.dims(),
                    "{kind}.{} has the shape {shape:?}; the model asks for {:?}",
                    slot.name,
                    slot.var.dims()
                );
                *moment = Tensor::from_vec(values, shape, slot.var.device())?;
            }
        }
        self.steps = i32::try_from(steps).context("too many steps")?;
        Ok(())
    }

    /// Sets the moments of weights that `mask`, of 0 and 1, prunes to 0: they would move a weight without a gradient.
    ///
    /// # Errors
    /// A mask of another shape, or a failure of the device.
    pub fn mask(&mut self, name: &str, mask: &Tensor) -> Result<()> {
        for slot in self.slots.iter_mut().filter(|slot| slot.name == name) {
            slot.first = (&slot.first * mask)?;
            slot.second = (&slot.second * mask)?;
        }
        Ok(())
    }

    /// One step down the gradients, which are first scaled so that their norm is at most `max_norm`.
    /// Returns the norm before that.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn step(&mut self, gradients: &Gradients, rate: f64, max_norm: f64) -> Result<f64> {
        let norm = gradients.norm()?;
        // A norm that is not finite must not reach the weights.
        ensure!(norm.is_finite(), "the gradient's norm is {norm}; lower --lr");
        let scale = if norm > max_norm { max_norm / norm } else { 1.0 };
        self.steps += 1;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let step = Step {
                options: self.options,
                scale,
                rate,
                decay: if slot.decays { self.options.weight_decay } else { 0.0 },
                first: 1.0 / (1.0 - self.options.beta1.powi(self.steps)),
                second: 1.0 / (1.0 - self.options.beta2.powi(self.steps)),
            };
            step.apply(slot, gradient)?;
        }
        Ok(norm)
    }
}

/// One step of one variable.
#[derive(Clone, Copy)]
struct Step {
    options: AdamWOptions,
    /// Multiplies the gradient.
    scale: f64,
    rate: f64,
    decay: f64,
    /// Corrects the bias of the first moment.
    first: f64,
    /// Corrects the bias of the second moment.
    second: f64,
}

impl Step {
    fn apply(&self, slot: &mut Slot, gradient: &Tensor) -> Result<()> {
        let AdamWOptions { beta1, beta2, eps, .. } = self.options;
        if gradient.device().is_cpu() {
            let moment = |beta: f64, squared| Moment {
                decay: beta as f32,
                weight: (1.0 - beta) as f32,
                scale: self.scale as f32,
                squared,
            };
            slot.first.inplace_op2(gradient, &moment(beta1, false))?;
            slot.second.inplace_op2(gradient, &moment(beta2, true))?;
            slot.var.as_tensor().inplace_op3(&slot.first, &slot.second, self)?;
            return Ok(());
        }
        let gradient = (gradient * self.scale)?;
        slot.first = ((&slot.first * beta1)? + (&gradient * (1.0 - beta1))?)?;
        slot.second = ((&slot.second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let root = ((&slot.second * self.second)?.sqrt()? + eps)?;
        let direction = ((&slot.first * self.first)?.div(&root)? + (slot.var.as_tensor() * self.decay)?)?;
        slot.var.set(&(slot.var.as_tensor() - (direction * self.rate)?)?)?;
        Ok(())
    }
}

/// Values that one task handles.
const CHUNK: usize = 1 << 14;

/// `moment ← decay · moment + weight · (scale · gradient)`, or its square.
struct Moment {
    decay: f32,
    weight: f32,
    scale: f32,
    squared: bool,
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adamw_moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        moment_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let gradient = values(gradient, gradient_layout)?;
        let moment = values_mut(moment, moment_layout)?;
        moment.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).for_each(|(moment, gradient)| {
            vectorized(
                #[inline(always)]
                || {
                    for (moment, gradient) in moment.iter_mut().zip(gradient) {
                        let gradient = gradient * self.scale;
                        let term = if self.squared { gradient * gradient } else { gradient };
                        *moment = self.decay * *moment + self.weight * term;
                    }
                },
            );
        });
        Ok(())
    }
}

impl InplaceOp3 for Step {
    fn name(&self) -> &'static str {
        "adamw_step"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        weight_layout: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (first, second) = (values(first, first_layout)?, values(second, second_layout)?);
        let weight = values_mut(weight, weight_layout)?;
        let (rate, shrink) = (self.rate as f32, (1.0 - self.rate * self.decay) as f32);
        let (first_scale, second_scale) = (self.first as f32, self.second as f32);
        let eps = self.options.eps as f32;
        let moments = first.par_chunks(CHUNK).zip(second.par_chunks(CHUNK));
        weight.par_chunks_mut(CHUNK).zip(moments).for_each(|(weight, (first, second))| {
            vectorized(
                #[inline(always)]
                || {
                    for ((weight, first), second) in weight.iter_mut().zip(first).zip(second) {
                        let root = (second * second_scale).sqrt() + eps;
                        *weight = *weight * shrink - rate * (first * first_scale) / root;
                    }
                },
            );
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::{AdamW, AdamWOptions, Gradients};

    /// The gradients of `loss`, as if it had been added up from one batch.
    fn gradients(optimizer: &AdamW, loss: &Tensor) -> anyhow::Result<Gradients> {
        let mut gradients = Gradients::default();
        gradients.add(optimizer.vars(), loss.backward()?)?;
        Ok(gradients)
    }

    /// Two steps of one weight w = 1 with gradients 3 and 3 (of 3·w), by the formulas in f64.
    fn by_hand(rate: f64, decay: f64, scale: f64) -> f64 {
        let (mut w, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
        for t in 1..=2 {
            let g = 3.0 * scale;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= rate * (m_hat / (v_hat.sqrt() + 1e-8) + decay * w);
        }
        w
    }

    #[test]
    fn two_steps_as_computed_by_hand() -> anyhow::Result<()> {
        // Clipping at 0.5 scales the gradient of norm 3 by 1/6; "a.bias" must not decay.
        for (name, decay) in [("a.weight", 0.1), ("a.bias", 0.0), ("a.LayerNorm.weight", 0.0)] {
            let var = Var::from_tensor(&Tensor::new(&[1.0f32], &Device::Cpu)?)?;
            let options = AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() };
            let mut optimizer = AdamW::new([(name, &var)].into_iter(), options)?;
            for _ in 0..2 {
                let loss = (var.as_tensor() * 3.0)?.sum_all()?;
                let norm = optimizer.step(&gradients(&optimizer, &loss)?, 0.01, 0.5)?;
                assert!((norm - 3.0).abs() < 1e-6);
            }
            let weight = f64::from(var.to_vec1::<f32>()?[0]);
            let expected = by_hand(0.01, decay, 0.5 / 3.0);
            assert!((weight - expected).abs() < 1e-6, "{name}: {weight}, expected {expected}");
        }
        Ok(())
    }

    #[test]
    fn an_optimizer_that_is_restored_goes_on_as_if_it_had_never_stopped() -> anyhow::Result<()> {
        let start = || Var::from_tensor(&Tensor::new(&[1.0f32, -2.0], &Device::Cpu)?);
        let new = |var: &Var| AdamW::new([("a.weight", var)].into_iter(), AdamWOptions::default());
        let step = |optimizer: &mut AdamW, var: &Var| -> anyhow::Result<()> {
            let loss = var.as_tensor().sqr()?.sum_all()?;
            optimizer.step(&gradients(optimizer, &loss)?, 0.1, 10.0).map(|_| ())
        };
        let (whole, cut) = (start()?, start()?);
        let (mut undisturbed, mut first) = (new(&whole)?, new(&cut)?);
        (0..4).try_for_each(|_| step(&mut undisturbed, &whole))?;
        (0..2).try_for_each(|_| step(&mut first, &cut))?;
        let resumed_var = Var::from_tensor(&cut.copy()?)?;
        let mut resumed = new(&resumed_var)?;
        resumed.restore(2, |kind, _| {
            let [m, v] = first.moments().next().expect("a slot").1;
            Ok((if kind == "first" { m } else { v }.to_vec1()?, vec![2]))
        })?;
        (0..2).try_for_each(|_| step(&mut resumed, &resumed_var))?;
        assert_eq!(resumed_var.to_vec1::<f32>()?, whole.to_vec1::<f32>()?);
        assert!(resumed.restore(2, |_, _| Ok((vec![0.0; 3], vec![3]))).is_err());
        Ok(())
    }

    #[test]
    fn a_weight_that_is_pruned_late_does_not_move() -> anyhow::Result<()> {
        let var = Var::from_tensor(&Tensor::new(&[1.0f32, 1.0], &Device::Cpu)?)?;
        let mut optimizer = AdamW::new([("a.weight", &var)].into_iter(), AdamWOptions::default())?;
        let mask = Tensor::new(&[1.0f32, 0.0], &Device::Cpu)?;
        let free = var.as_tensor().sum_all()?;
        optimizer.step(&gradients(&optimizer, &free)?, 0.1, 10.0)?;
        optimizer.mask("a.weight", &mask)?;
        var.set(&(var.as_tensor() * &mask)?)?;
        let masked = (var.as_tensor() * &mask)?.sum_all()?;
        optimizer.step(&gradients(&optimizer, &masked)?, 0.1, 10.0)?;
        let values = var.to_vec1::<f32>()?;
        assert!(values[1] == 0.0 && values[0] < 0.9, "{values:?}");
        Ok(())
    }

    #[test]
    fn the_norm_spans_all_gradients() -> anyhow::Result<()> {
        let a = Var::from_tensor(&Tensor::new(&[1.0f32, 1.0], &Device::Cpu)?)?;
        let b = Var::from_tensor(&Tensor::new(&[[2.0f32]], &Device::Cpu)?)?;
        let optimizer = AdamW::new([("a", &a), ("b", &b)].into_iter(), AdamWOptions::default())?;
        // Gradients (2, 2) and 1: norm 3.
        let loss = ((a.as_tensor() * 2.0)?.sum_all()? + b.sum_all()?)?;
        assert!((gradients(&optimizer, &loss)?.norm()? - 3.0).abs() < 1e-6);
        Ok(())
    }
}
