//! The modules of candle-nn that cannot be used as they are: a linear map whose weights may be masked, and a layer
//! normalization with a backward pass (that of candle-nn has none: gradients end there without an error).

use candle_core::{DType, Result, Tensor, bail};
use candle_nn::{Module, VarBuilder};

use crate::ops::{self, Products};
use crate::quantization::Grid;

/// A linear map whose weights may be masked.
pub(super) struct MaskedLinear {
    linear: candle_nn::Linear,
    /// 1 for a weight that is kept, 0 for one that is pruned.
    pub mask: Option<Tensor>,
    pub products: Products,
}

impl MaskedLinear {
    pub fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let linear = candle_nn::linear(inputs, outputs, vb)?;
        Ok(MaskedLinear { linear, mask: None, products: Products::F32 })
    }

    /// The weights that are not pruned. The mask is part of the graph, so that a pruned weight receives no gradient.
    fn weight(&self) -> Result<Tensor> {
        match &self.mask {
            Some(mask) => self.linear.weight() * mask,
            None => Ok(self.linear.weight().clone()),
        }
    }

    /// As the packed model computes it: the weights on their int8 grid, of values that were divided by `smoothing`
    /// before they were rounded.
    pub fn forward_quantized(&self, x: &Tensor, smoothing: Option<&Tensor>) -> Result<Tensor> {
        let mut weight = self.weight()?;
        if let Some(smoothing) = smoothing {
            weight = weight.broadcast_mul(smoothing)?;
        }
        self.product(x, &ops::quantize_rows(&weight, weight.dim(1)?, Grid::Weights)?)
    }

    fn product(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let Some(bias) = self.linear.bias() else { bail!("a linear map without a bias") };
        ops::linear(x, &weight.to_dtype(x.dtype())?, &bias.to_dtype(x.dtype())?, self.products)
    }
}

impl Module for MaskedLinear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.product(x, &self.weight()?)
    }
}

/// Layer normalization over the last dimension.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn new(size: usize, eps: f64, vb: &VarBuilder<'_>) -> Result<Self> {
        Ok(LayerNorm { weight: vb.get(size, "weight")?, bias: vb.get(size, "bias")?, eps })
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Sums of squares lose too much in 16 bits.
        let normal = ops::layer_norm(&x.to_dtype(DType::F32)?, &self.weight, &self.bias, self.eps)?;
        normal.to_dtype(x.dtype())
    }
}
