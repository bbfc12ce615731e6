//! The gradient of each variable, added up over the batches of a step.

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use crate::ops::{sum_of_squares, tensor_values};

/// One gradient for each variable, in the order of the variables; nothing where none arrived.
#[derive(Debug, Default)]
pub struct Gradients {
    tensors: Vec<Option<Tensor>>,
}

impl Gradients {
    /// Adds what a backward pass gave for `vars`, which must be the same each time.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn add<'a>(&mut self, vars: impl Iterator<Item = &'a Var>, mut store: GradStore) -> Result<()> {
        for (index, var) in vars.enumerate() {
            if self.tensors.len() <= index {
                self.tensors.push(None);
            }
            if let Some(new) = store.remove(var) {
                let new = new.contiguous()?;
                self.tensors[index] = Some(match self.tensors[index].take() {
                    Some(sum) => (sum + new)?,
                    None => new,
                });
            }
        }
        Ok(())
    }

    /// The gradient of the variable number `index`.
    pub fn get(&self, index: usize) -> Option<&Tensor> {
        self.tensors.get(index)?.as_ref()
    }

    /// All gradients, to be changed in place: zeros where none arrived for a variable of `vars`.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn all<'a>(&mut self, vars: impl Iterator<Item = &'a Var>) -> Result<Vec<&mut Tensor>> {
        for (index, var) in vars.enumerate() {
            if self.tensors.len() <= index {
                self.tensors.push(None);
            }
            if self.tensors[index].is_none() {
                self.tensors[index] = Some(var.zeros_like()?);
            }
        }
        Ok(self.tensors.iter_mut().flatten().collect())
    }

    /// The norm of all gradients together.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.tensors.iter().flatten() {
            sum += squares(gradient)?;
        }
        Ok(sum.sqrt())
    }
}

fn squares(gradient: &Tensor) -> Result<f64> {
    if gradient.device().is_cpu() {
        let (storage, layout) = gradient.storage_and_layout();
        return Ok(sum_of_squares(tensor_values(&storage, layout)?));
    }
    Ok(f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?))
}
