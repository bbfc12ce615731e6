//! The network: embeddings, encoder layers, start and end logits.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};

use super::Variables;
use super::layer::{DropoutRates, Dropouts, Layer, LayerNorm, Linear};
use crate::config::{Config, HEAD_WEIGHT, layer_prefix};
use crate::ops;
use crate::quantization::{Grid, Smoothing};

/// Added to the score of a padding key; its probability is then exactly 0.
const PADDING_BIAS: f64 = -1e9;

/// A batch of sequences, padded to the same length; all tensors are `[batch, tokens]`.
pub struct Input {
    /// Vocabulary ids, u32.
    pub input_ids: Tensor,
    /// 0 for the question, 1 for the passage, u32.
    pub token_type_ids: Tensor,
    /// 1 for a token, 0 for padding, f32.
    pub attention_mask: Tensor,
}

impl Input {
    /// Makes a batch of row-major `[batch, tokens]` values.
    ///
    /// # Errors
    /// Lengths that do not fit, or a failure of the device.
    pub fn new(
        input_ids: Vec<u32>,
        token_type_ids: Vec<u32>,
        attention_mask: Vec<f32>,
        batch: usize,
        device: &Device,
    ) -> Result<Self> {
        let shape = (batch, input_ids.len() / batch.max(1));
        Ok(Input {
            input_ids: Tensor::from_vec(input_ids, shape, device)?,
            token_type_ids: Tensor::from_vec(token_type_ids, shape, device)?,
            attention_mask: Tensor::from_vec(attention_mask, shape, device)?,
        })
    }

    /// What is added to the scores of each key.
    fn bias(&self) -> Result<Tensor> {
        Ok(self.attention_mask.affine(-PADDING_BIAS, PADDING_BIAS)?)
    }
}

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
    words: Tensor,
    positions: Tensor,
    token_types: Tensor,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
    head: Linear,
    max_tokens: usize,
    dtype: DType,
    quantized: bool,
}

impl BertForQuestionAnswering {
    /// Builds the network over `variables`, whose later changes it sees; for `masks` see [`Self::set_masks`].
    ///
    /// # Errors
    /// A parameter that is missing.
    pub fn new(config: &Config, variables: &Variables, masks: &BTreeMap<String, Tensor>) -> Result<Self> {
        let embedding = |part: &str| -> Result<Tensor> {
            Ok(variables.get(&format!("bert.embeddings.{part}.weight"))?.clone())
        };
        let mut model = BertForQuestionAnswering {
            words: embedding("word_embeddings")?,
            positions: embedding("position_embeddings")?,
            token_types: embedding("token_type_embeddings")?,
            embedding_norm: LayerNorm::new(variables, "bert.embeddings.LayerNorm", config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::new(config, variables, index))
                .collect::<Result<_>>()?,
            head: Linear::new(variables, "qa_outputs")?,
            max_tokens: config.max_position_embeddings,
            dtype: DType::F32,
            quantized: false,
        };
        model.set_masks(masks);
        Ok(model)
    }

    /// Multiplies weights with masks from now on, in place of those before: `masks` maps the names of pruned weights
    /// to tensors of 0 and 1 of their shape.
    pub fn set_masks(&mut self, masks: &BTreeMap<String, Tensor>) {
        self.head.mask = masks.get(HEAD_WEIGHT).cloned();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (part, linear) in layer.linears_mut() {
                linear.mask = masks.get(&format!("{}.{part}.weight", layer_prefix(index))).cloned();
            }
        }
    }

    /// The same network, computing products and activations in `dtype`; variables, layer normalization, softmax and
    /// logits stay f32.
    pub fn with_dtype(self, dtype: DType) -> Self {
        BertForQuestionAnswering { dtype, ..self }
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
        let device = self.words.device().clone();
        let before = |index: usize, part: &str| {
            let factors = smoothing.before(&format!("{}.{part}.weight", layer_prefix(index)));
            factors.map(|factors| Tensor::new(factors, &device)).transpose()
        };
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.smoothing = before(index, "attention.self.query")?;
            layer.inner_smoothing = before(index, "intermediate.dense")?;
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
    pub fn forward_training(&self, input: &Input, rates: DropoutRates, key: u64) -> Result<Output> {
        let device = input.input_ids.device();
        if !device.is_cpu() {
            device.set_seed(key)?;
        }
        self.pass(input, Dropouts { rates, key })
    }

    fn pass(&self, input: &Input, dropouts: Dropouts) -> Result<Output> {
        let mut x = ops::dropout(&self.embed(input)?, dropouts.hidden(0, 0))?;
        let bias = input.bias()?;
        let mut hidden_states = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            x = layer.forward(&x, &bias, dropouts)?;
            hidden_states.push(x.clone());
        }
        let logits = self.head.forward(&x, false, None)?.to_dtype(DType::F32)?;
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
        let (batch, tokens) = input.input_ids.dims2()?;
        ensure!(
            tokens <= self.max_tokens,
            "{tokens} tokens exceed the model's {}; lower --max-seq-len",
            self.max_tokens
        );
        let select = |table: &Tensor, ids: &Tensor| table.index_select(&ids.flatten_all()?, 0);
        let mut words = select(&self.words, &input.input_ids)?;
        let (mut token_types, mut positions) =
            (select(&self.token_types, &input.token_type_ids)?, self.positions.narrow(0, 0, tokens)?);
        if self.quantized {
            words = ops::quantize_rows(&words, words.dim(1)?, Grid::Weights)?;
            // Stored as halves; straight through too, since small gradients would vanish as halves.
            let halved = |x: &Tensor| x + (x.to_dtype(DType::F16)?.to_dtype(DType::F32)? - x)?.detach();
            (token_types, positions) = (halved(&token_types)?, halved(&positions)?);
        }
        let summed = (words + token_types)?.reshape((batch, tokens, ()))?.broadcast_add(&positions)?;
        Ok(self.embedding_norm.forward(&summed)?.to_dtype(self.dtype)?)
    }
}
