//! An encoder layer, in floats or as the packed model computes it.

use anyhow::Result;
use candle_core::Tensor;
use candle_nn::{Module, VarBuilder};

use super::dropout::Dropouts;
use super::modules::{LayerNorm, MaskedLinear};
use crate::config::Config;
use crate::ops::{self, AttentionOptions, Products};
use crate::quantization::Grid;

pub(super) struct Layer {
    /// Its number among the places that drop values, from 1.
    number: usize,
    query: MaskedLinear,
    key: MaskedLinear,
    value: MaskedLinear,
    attention_dense: MaskedLinear,
    attention_norm: LayerNorm,
    intermediate_dense: MaskedLinear,
    output_dense: MaskedLinear,
    output_norm: LayerNorm,
    heads: usize,
    pub quantized: bool,
    /// Of attention; each linear map has its own.
    products: Products,
    /// What the inputs of the query, key and value maps are divided by before they are rounded, `[hidden]`.
    pub smoothing: Option<Tensor>,
    /// What the intermediate map's input is divided by.
    pub intermediate_smoothing: Option<Tensor>,
}

impl Layer {
    /// The layer number `index`, from 0, whose variables `vb` holds.
    pub fn new(config: &Config, index: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let linear = |part: &str, inputs, outputs| MaskedLinear::new(inputs, outputs, vb.pp(part));
        let norm = |part: &str| LayerNorm::new(hidden, config.layer_norm_eps, &vb.pp(part));
        Ok(Layer {
            number: index + 1,
            query: linear("attention.self.query", hidden, hidden)?,
            key: linear("attention.self.key", hidden, hidden)?,
            value: linear("attention.self.value", hidden, hidden)?,
            attention_dense: linear("attention.output.dense", hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate_dense: linear("intermediate.dense", hidden, intermediate)?,
            output_dense: linear("output.dense", intermediate, hidden)?,
            output_norm: norm("output.LayerNorm")?,
            heads: config.num_attention_heads,
            quantized: false,
            products: Products::F32,
            smoothing: None,
            intermediate_smoothing: None,
        })
    }

    /// Sets what products are computed in, on a CPU.
    pub fn set_products(&mut self, products: Products) {
        self.products = products;
        self.linears_mut().into_iter().for_each(|(_, linear)| linear.products = products);
    }

    /// The linear maps, by their names within the layer.
    pub fn linears_mut(&mut self) -> [(&'static str, &mut MaskedLinear); 6] {
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
        let options = AttentionOptions {
            heads: self.heads,
            dropout: dropouts.attention(self.number),
            quantized: self.quantized,
            products: self.products,
        };
        Ok(ops::attention(&q?, &k?, &v?, bias, options)?)
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

    /// `smoothing` is what the operand was divided by, if it is quantized.
    fn map(&self, map: &MaskedLinear, operand: &Tensor, smoothing: Option<&Tensor>) -> Result<Tensor> {
        Ok(if self.quantized { map.forward_quantized(operand, smoothing)? } else { map.forward(operand)? })
    }

    /// The attention half: the input of the intermediate map.
    pub fn attention_output(&self, x: &Tensor, context: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let added = self.map(&self.attention_dense, &self.operand(context, None)?, None)?;
        let added = ops::dropout(&added, dropouts.hidden(self.number, 1))?;
        Ok(self.attention_norm.forward(&(added + x)?)?)
    }

    /// What the feed-forward half holds, the input of its output map.
    pub fn intermediate(&self, x: &Tensor) -> Result<Tensor> {
        let smoothing = self.intermediate_smoothing.as_ref();
        let intermediate = self.map(&self.intermediate_dense, &self.operand(x, smoothing)?, smoothing)?;
        Ok(ops::gelu(&intermediate, self.quantized)?)
    }

    /// The feed-forward half: the input of the next layer.
    pub fn output(&self, x: &Tensor, intermediate: &Tensor, dropouts: Dropouts) -> Result<Tensor> {
        let added = self.map(&self.output_dense, &self.rounded(intermediate, Grid::Gelu)?, None)?;
        let added = ops::dropout(&added, dropouts.hidden(self.number, 2))?;
        Ok(self.output_norm.forward(&(added + x)?)?)
    }
}
