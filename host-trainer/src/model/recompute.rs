//! Gradients with less memory: of the forward pass only the inputs of the layers are kept, and the backward pass computes
//! each layer once more (gradient checkpointing: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::bert::{BertForQuestionAnswering, Output};
use super::dropout::{DropoutKey, DropoutRates, Dropouts};
use super::input::Input;

impl BertForQuestionAnswering {
    /// Computes the loss that `loss` makes of what [`Self::forward_training`] would give, and its gradients, to the bit those
    /// of [`Tensor::backward`]. `take` gets them in parts, from the last layer to the embeddings, each with the gradients of
    /// other variables; for a loss that is not finite it gets none. Returns the loss.
    ///
    /// # Errors
    /// As for [`Self::forward`], and what `loss` and `take` fail with.
    pub fn backward_recomputing(
        &self,
        input: &Input,
        rates: DropoutRates,
        key: DropoutKey,
        loss: impl FnOnce(&Output) -> Result<Tensor>,
        mut take: impl FnMut(GradStore) -> Result<()>,
    ) -> Result<f32> {
        let (dropouts, bias) = (Dropouts { rates, key }, input.bias()?);
        // Number 0 are the embeddings, which have no input of their own.
        let part = |number: usize, x: Option<&Tensor>| -> Result<Tensor> {
            dropouts.seed(&self.device, number as u64)?;
            match (number.checked_sub(1), x) {
                (Some(layer), Some(x)) => self.layers[layer].forward(x, &bias, dropouts),
                _ => self.first(input, dropouts),
            }
        };
        let first = part(0, None)?;
        // Frozen embeddings need no gradient, and so no backward pass of their own.
        let trains_embeddings = first.track_op();
        let mut outputs = vec![if trains_embeddings { leaf(&first)? } else { first.detach() }];
        drop(first);
        for number in 1..=self.layers.len() {
            let output = part(number, outputs.last())?;
            outputs.push(leaf(&output)?);
        }
        let (value, mut store) = {
            let output = self.last(outputs[1..].to_vec(), &outputs[self.layers.len()])?;
            let loss = loss(&output)?;
            let value = loss.to_scalar::<f32>()?;
            if !value.is_finite() {
                return Ok(value);
            }
            (value, loss.backward()?)
        };
        // What the loss alone says of each.
        let mut gradients: Vec<Option<Tensor>> = outputs.iter().map(|output| store.remove(output)).collect();
        take(store)?;
        while let (Some(gradient), Some(_)) = (gradients.pop(), outputs.pop()) {
            let (number, input) = (outputs.len(), outputs.last());
            let Some(gradient) = gradient.filter(|_| number > 0 || trains_embeddings) else { continue };
            // The gradient of this sum is `gradient`.
            let mut store = (part(number, input)? * gradient)?.sum_all()?.backward()?;
            if let (Some(input), Some(before)) = (input, gradients.last_mut())
                && let Some(own) = store.remove(input)
            {
                *before = Some(match before.take() {
                    Some(of_the_loss) => (of_the_loss + own)?,
                    None => own,
                });
            }
            take(store)?;
        }
        Ok(value)
    }
}

/// The same values, as a variable: a graph ends there, and its gradient is kept.
fn leaf(x: &Tensor) -> Result<Tensor> {
    Ok(Var::from_tensor(&x.detach())?.into_inner())
}
