//! The operations written with candle's own differentiable operations: their definition.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::Module;

use super::dropout::Dropout;
use super::round::{composed_probabilities, composed_scores};

/// See [`super::linear`].
///
/// # Errors
/// As there.
pub fn linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    candle_nn::Linear::new(w.clone(), Some(b.clone())).forward(x)
}

/// See [`super::gelu`].
///
/// # Errors
/// As there.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}

/// See [`super::layer_norm`].
///
/// # Errors
/// As there.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centered.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centered.broadcast_div(&deviation)?.broadcast_mul(gamma)?.broadcast_add(beta)
}

/// See [`super::attention`].
///
/// # Errors
/// As there.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    bias: &Tensor,
    heads: usize,
    dropout: Option<Dropout>,
    quantized: bool,
) -> Result<Tensor> {
    let (batch, tokens, hidden) = q.dims3()?;
    let split = |x: &Tensor| x.reshape((batch, tokens, heads, hidden / heads))?.transpose(1, 2)?.contiguous();
    let scale = 1.0 / ((hidden / heads) as f64).sqrt();
    let mut scores = (split(q)?.matmul(&split(k)?.t()?)?.to_dtype(DType::F32)? * scale)?;
    if quantized {
        scores = composed_scores(&scores)?;
    }
    let scores = scores.broadcast_add(&bias.reshape((batch, 1, 1, tokens))?.detach())?;
    let mut probabilities = softmax(&scores)?;
    if quantized {
        probabilities = composed_probabilities(&probabilities)?;
    }
    if let Some(dropout) = dropout {
        let factors = dropout.factors(Some(heads), &probabilities)?;
        probabilities = (probabilities * factors)?;
    }
    probabilities
        .to_dtype(v.dtype())?
        .matmul(&split(v)?)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((batch, tokens, hidden))
}

/// Softmax over the last dimension.
///
/// # Errors
/// A failure of the device.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    log_softmax(x)?.exp()
}

/// The logarithm of softmax over the last dimension.
///
/// # Errors
/// A failure of the device.
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    // The maximum only shifts: its gradient cancels, so it is cut from the graph (candle_nn's is not).
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// See [`super::relative_error`].
///
/// # Errors
/// As there.
pub fn relative_error(x: &Tensor, target: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (target, mask) = (target.detach(), mask.unsqueeze(2)?.detach());
    let difference = (x - &target)?.sqr()?.broadcast_mul(&mask)?.sum_all()?;
    difference / target.sqr()?.broadcast_mul(&mask)?.sum_all()?
}
