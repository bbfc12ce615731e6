//! Differentiable operations of the encoder.
//!
//! Every operation exists twice. [`composed`] writes it with candle's own differentiable
//! operations: that is its definition, and what runs on an accelerator. On a CPU a fused operation with
//! a hand-written backward pass takes its place, because candle's elementwise operations run on one
//! thread and its fused layer normalization and softmax have no backward pass. The tests hold the two
//! to each other, values and gradients.

mod attention;
pub mod composed;
mod dropout;
mod gelu;
mod layer_norm;
mod linear;
mod math;
mod product;
mod products;
mod relative_error;
mod round;
mod rows;
mod storage;
#[cfg(test)]
mod tests;

pub use dropout::{Dropout, derive_key};
pub use products::Products;
pub(crate) use rows::{sum_of_squares, vectorized};
pub(crate) use storage::{tensor_values, values, values_mut};

use candle_core::{DType, Result, Tensor};

use crate::quantization::Grid;

/// `x · wᵀ + b`: `x` is `[…, in]`, `w` is `[out, in]`, `b` is `[out]`; the result is `[…, out]`. `products` has a say on a
/// CPU only, backward too.
///
/// # Errors
/// Shapes that do not fit, or a failure of the device.
pub fn linear(x: &Tensor, w: &Tensor, b: &Tensor, products: Products) -> Result<Tensor> {
    if fused(x) {
        x.contiguous()?.apply_op3(&w.contiguous()?, b, linear::Linear { products })
    } else {
        composed::linear(x, w, b)
    }
}

/// The exact (erf) form of GELU, elementwise: `x · Φ(x)`. `quantized`: the values of the engine's approximation
/// (it errs by 2.5e-4), with the gradient of the exact one; on a GPU the exact values.
///
/// # Errors
/// A failure of the device.
pub fn gelu(x: &Tensor, quantized: bool) -> Result<Tensor> {
    if fused(x) { x.contiguous()?.apply_op1(gelu::Gelu { quantized }) } else { composed::gelu(x) }
}

/// Layer normalization over the last dimension: `(x − mean) / sqrt(variance + eps) · gamma + beta`.
///
/// # Errors
/// Shapes that do not fit, or a failure of the device.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    if fused(x) {
        x.contiguous()?.apply_op3(gamma, beta, layer_norm::LayerNorm { eps: eps as f32 })
    } else {
        composed::layer_norm(x, gamma, beta, eps)
    }
}

/// How attention is computed, beside its tensors.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionOptions {
    /// Heads that share the hidden features.
    pub heads: usize,
    /// Of the probabilities.
    pub dropout: Option<Dropout>,
    /// Rounds scores and probabilities, straight through, as the engine rounds them.
    pub quantized: bool,
    /// Of products on a CPU, backward too.
    pub products: Products,
}

/// Multi-head attention, `softmax(q·kᵀ / sqrt(head) + bias) · v` for each head.
///
/// `q`, `k`, `v` and the result are `[batch, tokens, heads · head]`, a head's features side by side.
/// `bias` is `[batch, tokens]` and is added to the scores of that key: 0 for a token, a large negative
/// number for padding. No gradient flows to `bias`. Dropout is applied to the probabilities after they are rounded.
///
/// # Errors
/// Shapes that do not fit, or a failure of the device.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    bias: &Tensor,
    options: AttentionOptions,
) -> Result<Tensor> {
    let AttentionOptions { heads, dropout, quantized, products } = options;
    if fused(q) {
        let bias = bias.flatten_all()?.to_vec1::<f32>()?;
        let op = attention::Attention { heads, bias, dropout, quantized, products };
        q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)
    } else {
        composed::attention(q, k, v, bias, heads, dropout, quantized)
    }
}

/// Sets values to 0 by chance and scales the others; see [`Dropout`]. `x` itself where there is none.
///
/// # Errors
/// A failure of the device.
pub fn dropout(x: &Tensor, dropout: Option<Dropout>) -> Result<Tensor> {
    match dropout {
        None => Ok(x.clone()),
        Some(dropout) if fused(x) => x.contiguous()?.apply_op1(dropout::Fused(dropout)),
        Some(dropout) => dropout::composed(x, dropout),
    }
}

/// Rounds each row of `width` values to int8 and back, straight through: the result's values lie on the grid,
/// gradients pass as they are.
///
/// # Errors
/// A width that does not divide the number of values, or a failure of the device.
pub fn quantize_rows(x: &Tensor, width: usize, grid: Grid) -> Result<Tensor> {
    if fused(x) {
        x.contiguous()?.apply_op1(round::QuantizeRows { grid, width })
    } else {
        round::composed_rows(x, width, grid)
    }
}

/// The same for each channel of each sequence of `x`, `[batch, tokens, channels]`, on the grid of activations.
/// `bias` is that of [`attention`]: padding has no say in a channel's scale.
///
/// # Errors
/// Shapes that do not fit, or a failure of the device.
pub fn quantize_channels(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if fused(x) {
        let bias = bias.flatten_all()?.to_vec1::<f32>()?;
        x.contiguous()?.apply_op1(round::QuantizeChannels { bias })
    } else {
        round::composed_channels(x, bias)
    }
}

/// Whether the fused operations can take the tensor.
fn fused(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// How far `x` is from `target`, as a share of `target`: `Σ‖x − target‖² / Σ‖target‖²`, over the rows
/// whose `mask` is not 0. `x` and `target` are `[batch, tokens, features]`, `mask` is
/// `[batch, tokens]`; the result is a scalar. No gradient flows to `target` or `mask`.
///
/// # Errors
/// Shapes that do not fit, or a failure of the device.
pub fn relative_error(x: &Tensor, target: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if fused(x) {
        let op = relative_error::RelativeError::new(target, mask)?;
        x.contiguous()?.apply_op1(op)
    } else {
        composed::relative_error(x, target, mask)
    }
}
