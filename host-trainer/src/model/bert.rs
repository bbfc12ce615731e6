//! The network: embeddings, encoder layers, start and end logits.

use std::collections::BTreeMap;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::{Module, VarBuilder};

use super::dropout::{DropoutKey, DropoutRates, Dropouts};
use super::embeddings::Embeddings;
use super::input::Input;
use super::layer::Layer;
use super::modules::MaskedLinear;
use crate::config::{Config, HEAD_WEIGHT, layer_prefix};
use crate::ops::{self, Products};
use crate::quantization::Smoothing;

/// What the network says of a batch.
pub struct Output {
    /// Logits of the answer's first token, `[batch, tokens]`. Those of padding mean nothing.
    pub start_logits: Tensor,
    /// Logits of the answer's last token, `[batch, tokens]`.
    pub end_logits: Tensor,
    /// What each encoder layer gives, `[batch, tokens, hidden]`, first layer first.
    pub hidden_states: Vec<Tensor>,
}

/// A BERT encoder with a linear map from each token to a start and an end logit.
pub struct BertForQuestionAnswering {
    embeddings: Embeddings,
    pub(super) layers: Vec<Layer>,
    qa_outputs: MaskedLinear,
    pub(super) device: Device,
    dtype: DType,
    quantized: bool,
}

impl BertForQuestionAnswering {
    /// Builds the network over the variables of `vb`, by their Hugging Face names. It sees later changes of trained
    /// variables.
    ///
    /// # Errors
    /// A variable that is missing or of another shape.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let encoder = |index: usize| Layer::new(config, index, &vb.pp(layer_prefix(index)));
        Ok(BertForQuestionAnswering {
            embeddings: Embeddings::new(config, &vb.pp("bert.embeddings"))?,
            layers: (0..config.num_hidden_layers).map(encoder).collect::<Result<_>>()?,
            qa_outputs: MaskedLinear::new(config.hidden_size, 2, vb.pp("qa_outputs"))?,
            device: vb.device().clone(),
            dtype: DType::F32,
            quantized: false,
        })
    }

    /// Multiplies weights with masks from now on, in place of those before: `masks` maps the names of pruned weights
    /// to tensors of 0 and 1 of their shape.
    pub fn set_masks(&mut self, masks: &BTreeMap<String, Tensor>) {
        self.qa_outputs.mask = masks.get(HEAD_WEIGHT).cloned();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (part, linear) in layer.linears_mut() {
                linear.mask = masks.get(&format!("{}.{part}.weight", layer_prefix(index))).cloned();
            }
        }
    }

    /// The same network, computing products and activations in `dtype`; variables, layer normalization, softmax and
    /// logits stay f32. On a CPU bf16 is that of products only: their operands are rounded to it, sums and results are f32.
    ///
    /// # Errors
    /// bf16 on a CPU that has no instructions for it.
    pub fn with_dtype(mut self, dtype: DType) -> Result<Self> {
        let products = Products::new(dtype, &self.device)?;
        self.dtype = if matches!(products, Products::Bf16(_)) { DType::F32 } else { dtype };
        self.qa_outputs.products = products;
        self.layers.iter_mut().for_each(|layer| layer.set_products(products));
        Ok(self)
    }

    /// The same network, with every operand of a product on the int8 grid that it has in the packed model (weights
    /// by row, activations by token, queries and keys by head, values by channel, probabilities, word embeddings; the other embeddings are halves),
    /// straight through: what training sees is what the engine computes, gradients pass as if nothing was rounded.
    pub fn with_quantization(mut self, quantized: bool) -> Self {
        self.quantized = quantized;
        self.layers.iter_mut().for_each(|layer| layer.quantized = quantized);
        self
    }

    /// The same network, with the outlier features smoothed where it is quantized, as `pack` does it.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn with_smoothing(mut self, smoothing: &Smoothing) -> Result<Self> {
        let before = |index: usize, part: &str| {
            let factors = smoothing.before(&format!("{}.{part}.weight", layer_prefix(index)));
            factors.map(|factors| Tensor::new(factors, &self.device)).transpose()
        };
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.smoothing = before(index, "attention.self.query")?;
            layer.intermediate_smoothing = before(index, "intermediate.dense")?;
        }
        Ok(self)
    }

    /// Logits and hidden states of a batch.
    ///
    /// # Errors
    /// Sequences longer than the position table, ids outside the vocabulary, or a failure of the device.
    pub fn forward(&self, input: &Input) -> Result<Output> {
        self.pass(input, Dropouts::default())
    }

    /// The same with dropout. All choices follow from `key` (on an accelerator, from its own generator, which is
    /// seeded with it).
    ///
    /// # Errors
    /// As for [`Self::forward`].
    pub fn forward_training(&self, input: &Input, rates: DropoutRates, key: DropoutKey) -> Result<Output> {
        let dropouts = Dropouts { rates, key };
        dropouts.seed(&self.device, 0)?;
        self.pass(input, dropouts)
    }

    fn pass(&self, input: &Input, dropouts: Dropouts) -> Result<Output> {
        let mut x = self.first(input, dropouts)?;
        let bias = input.bias()?;
        let mut hidden_states = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            // A node of its own: what comes back from within a layer is added up there, and then to what the loss says of
            // the hidden state. So the sums are the same when a layer's pass is taken apart from the others'.
            x = layer.forward(&x.reshape(x.shape())?, &bias, dropouts)?;
            hidden_states.push(x.clone());
        }
        self.last(hidden_states, &x)
    }

    /// The input of the first layer, after dropout.
    pub(super) fn first(&self, input: &Input, dropouts: Dropouts) -> Result<Tensor> {
        Ok(ops::dropout(&self.embed(input)?, dropouts.hidden(0, 0))?)
    }

    /// What the network says, given what its last layer gives.
    pub(super) fn last(&self, hidden_states: Vec<Tensor>, x: &Tensor) -> Result<Output> {
        let logits = self.qa_outputs.forward(x)?.to_dtype(DType::F32)?;
        Ok(Output {
            start_logits: logits.narrow(2, 0, 1)?.squeeze(2)?,
            end_logits: logits.narrow(2, 1, 1)?.squeeze(2)?,
            hidden_states,
        })
    }

    /// Takes batches through the encoder, stage by stage, and shows the inputs of every linear map before the map is
    /// used: `visit` gets the names of the weights that read them and the inputs of each batch, and may change those
    /// weights. Later stages then see what the changed weights make.
    ///
    /// # Errors
    /// As for [`BertForQuestionAnswering::forward`], and what `visit` fails with.
    pub fn visit_inputs(
        &self,
        batches: &[Input],
        mut visit: impl FnMut(&[String], &[Tensor]) -> Result<()>,
    ) -> Result<()> {
        let none = Dropouts::default();
        let biases = batches.iter().map(Input::bias).collect::<Result<Vec<_>>>()?;
        let detached = |x: Result<Tensor>| x.map(|x| x.detach());
        let mut x = batches.iter().map(|batch| detached(self.embed(batch))).collect::<Result<Vec<_>>>()?;
        for (index, layer) in self.layers.iter().enumerate() {
            let names = |parts: &[&str]| -> Vec<String> {
                parts.iter().map(|part| format!("{}.{part}.weight", layer_prefix(index))).collect()
            };
            visit(&names(&["attention.self.query", "attention.self.key", "attention.self.value"]), &x)?;
            let each = |f: &dyn Fn(usize) -> Result<Tensor>| -> Result<Vec<Tensor>> {
                (0..batches.len()).map(|batch| detached(f(batch))).collect()
            };
            let context = each(&|batch| layer.context(&x[batch], &biases[batch], none))?;
            visit(&names(&["attention.output.dense"]), &context)?;
            x = each(&|batch| layer.attention_output(&x[batch], &context[batch], none))?;
            visit(&names(&["intermediate.dense"]), &x)?;
            let inner = each(&|batch| layer.intermediate(&x[batch]))?;
            visit(&names(&["output.dense"]), &inner)?;
            x = each(&|batch| layer.output(&x[batch], &inner[batch], none))?;
        }
        Ok(())
    }

    /// The input of the first layer.
    fn embed(&self, input: &Input) -> Result<Tensor> {
        Ok(self.embeddings.forward(input, self.quantized)?.to_dtype(self.dtype)?)
    }
}
