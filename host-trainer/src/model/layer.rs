//! An encoder layer and its parts, in floats or as the packed model computes them.

use anyhow::Result;
use candle_core::{DType, Tensor};

use super::Variables;
use crate::config::{Config, layer_prefix};
use crate::ops::{self, Dropout, derive_key};
use crate::quantization::Grid;

/// The shares of values that training drops by chance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutRates {
    /// Of the embeddings and of what attention and feed-forward add to the hidden states
    /// (`hidden_dropout_prob`).
    pub hidden: f64,
    /// Of the attention probabilities (`attention_probs_dropout_prob`).
    pub attention: f64,
}

/// What a forward pass drops: its rates, and a key from which all choices follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropouts {
    pub rates: DropoutRates,
    pub key: u64,
}

/// Places of a layer where values are dropped; embeddings count as a layer of their own, the first.
const PLACES: u64 = 3;

impl Dropouts {
    pub fn hidden(self, layer: usize, place: u64) -> Option<Dropout> {
        Dropout::new(self.rates.hidden, derive_key(self.key, PLACES * layer as u64 + place))
    }

    pub fn attention(self, layer: usize) -> Option<Dropout> {
        Dropout::new(self.rates.attention, derive_key(self.key, PLACES * layer as u64))
    }
}

/// A linear map whose weights may be masked.
pub(super) struct Linear {
    weight: Tensor,
    /// 1 for a weight that is kept, 0 for one that is pruned.
    pub mask: Option<Tensor>,
    bias: Tensor,
}

impl Linear {
    pub fn new(variables: &Variables, name: &str) -> Result<Self> {
        Ok(Linear {
            mask: None,
            weight: variables.get(&format!("{name}.weight"))?.clone(),
            bias: variables.get(&format!("{name}.bias"))?.clone(),
        })
    }

    /// `smoothing` is what `x` was divided by, if it is quantized.
    pub fn forward(&self, x: &Tensor, quantized: bool, smoothing: Option<&Tensor>) -> Result<Tensor> {
        // The mask is part of the graph, so that a pruned weight receives no gradient.
        let mut weight = match &self.mask {
            Some(mask) => (&self.weight * mask)?,
            None => self.weight.clone(),
        };
        if quantized {
            if let Some(smoothing) = smoothing {
                weight = weight.broadcast_mul(smoothing)?;
            }
            weight = ops::quantize_rows(&weight, weight.dim(1)?, Grid::Weights)?;
        }
        Ok(ops::linear(x, &weight.to_dtype(x.dtype())?, &self.bias.to_dtype(x.dtype())?)?)
    }
}

pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn new(variables: &Variables, name: &str, eps: f64) -> Result<Self> {
        Ok(LayerNorm {
            weight: variables.get(&format!("{name}.weight"))?.clone(),
            bias: variables.get(&format!("{name}.bias"))?.clone(),
            eps,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Sums of squares lose too much in 16 bits.
        let normal = ops::layer_norm(&x.to_dtype(DType::F32)?, &self.weight, &self.bias, self.eps)?;
        Ok(normal.to_dtype(x.dtype())?)
    }
}

pub(super) struct Layer {
    /// Its number among the places that drop values, from 1.
    number: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    attention_dense: Linear,
    attention_norm: LayerNorm,
    intermediate_dense: Linear,
    output_dense: Linear,
    output_norm: LayerNorm,
    heads: usize,
    pub quantized: bool,
    /// What the inputs of the query, key and value maps are divided by before they are rounded, `[hidden]`.
    pub smoothing: Option<Tensor>,
    /// What the intermediate map's input is divided by.
    pub inner_smoothing: Option<Tensor>,
}

impl Layer {
    pub fn new(config: &Config, variables: &Variables, index: usize) -> Result<Self> {
        let prefix = layer_prefix(index);
        let linear = |part: &str| Linear::new(variables, &format!("{prefix}.{part}"));
        let norm = |part: &str| LayerNorm::new(variables, &format!("{prefix}.{part}"), config.layer_norm_eps);
        Ok(Layer {
            number: index + 1,
            query: linear("attention.self.query")?,
            key: linear("attention.self.key")?,
            value: linear("attention.self.value")?,
            attention_dense: linear("attention.output.dense")?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate_dense: linear("intermediate.dense")?,
            output_dense: linear("output.dense")?,
            output_norm: norm("output.LayerNorm")?,
            heads: config.num_attention_heads,
            quantized: false,
            smoothing: None,
            inner_smoothing: None,
        })
    }

    /// The linear maps, by their names within the layer.
    pub fn linears_mut(&mut self) -> [(&'static str, &mut Linear); 6] {
        [
            ("attention.self.query", &mut self.query),
            ("attention.self.key", &mut self.key),
            ("attention.self.value", &mut self.value),
            ("attention.output.dense", &mut self.attention_dense),
            ("intermediate.dense", &mut self.intermediate_dense),
            ("output.dense", &mut self.output_dense),
        ]
    }

    pub fn forward(&self, x: &Tensor, bias: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let x = self.attention_output(x, &self.context(x, bias, dropouts)?, dropouts)?;
        self.output(&x, &self.intermediate(&x)?, dropouts)
    }

    /// What the heads gather, the input of the attention's output map.
    pub fn context(&self, x: &Tensor, bias: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let smoothing = self.smoothing.as_ref();
        let x = self.operand(x, smoothing)?;
        let maps = [&self.query, &self.key, &self.value];
        let [mut q, mut k, mut v] = maps.map(|map| self.map(map, &x, smoothing));
        if self.quantized {
            let head = x.dim(2)? / self.heads.max(1);
            let rows = |x: Result<Tensor>| Ok(ops::quantize_rows(&x?, head, Grid::Activations)?);
            (q, k, v) = (rows(q), rows(k), Ok(ops::quantize_channels(&v?, bias)?));
        }
        let dropout = dropouts.attention(self.number);
        Ok(ops::attention(&q?, &k?, &v?, bias, self.heads, dropout, self.quantized)?)
    }

    /// What a linear map multiplies its weights with: `x`, or the int8 of what smoothing leaves of it.
    fn operand(&self, x: &Tensor, smoothing: Option<&Tensor>) -> Result<Tensor> {
        match smoothing.filter(|_| self.quantized) {
            Some(smoothing) => {
                self.rounded(&x.broadcast_div(&smoothing.to_dtype(x.dtype())?)?, Grid::Activations)
            }
            None => self.rounded(x, Grid::Activations),
        }
    }

    fn rounded(&self, x: &Tensor, grid: Grid) -> Result<Tensor> {
        if !self.quantized {
            return Ok(x.clone());
        }
        Ok(ops::quantize_rows(x, x.dim(2)?, grid)?)
    }

    fn map(&self, map: &Linear, operand: &Tensor, smoothing: Option<&Tensor>) -> Result<Tensor> {
        map.forward(operand, self.quantized, smoothing)
    }

    /// The attention half: the input of the intermediate map.
    pub fn attention_output(&self, x: &Tensor, context: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let added = self.map(&self.attention_dense, &self.operand(context, None)?, None)?;
        let added = ops::dropout(&added, dropouts.hidden(self.number, 1))?;
        self.attention_norm.forward(&(added + x)?)
    }

    /// What the feed-forward half holds, the input of its output map.
    pub fn intermediate(&self, x: &Tensor) -> Result<Tensor> {
        let smoothing = self.inner_smoothing.as_ref();
        let inner = self.map(&self.intermediate_dense, &self.operand(x, smoothing)?, smoothing)?;
        Ok(ops::gelu(&inner, self.quantized)?)
    }

    /// The feed-forward half: the input of the next layer.
    pub fn output(&self, x: &Tensor, intermediate: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let added = self.map(&self.output_dense, &self.rounded(intermediate, Grid::Gelu)?, None)?;
        let added = ops::dropout(&added, dropouts.hidden(self.number, 2))?;
        self.output_norm.forward(&(added + x)?)
    }
}
