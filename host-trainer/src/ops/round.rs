//! Values on the int8 grids of the packed model, straight through: the gradient passes as if nothing was rounded
//! (Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013).

use blockspan_kernels::math;
use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::math::log2;
use super::rows::vectorized;
use super::storage::values;
use crate::quantization::{Grid, round};

/// See [`super::quantize_rows`].
pub(super) struct QuantizeRows {
    pub(super) grid: Grid,
    pub(super) width: usize,
}

/// Rows that one task handles.
const ROWS: usize = 64;

impl CustomOp1 for QuantizeRows {
    fn name(&self) -> &'static str {
        "quantize-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        if self.width == 0 || !x.len().is_multiple_of(self.width) {
            bail!("quantize-rows: {} values in rows of {}", x.len(), self.width);
        }
        let mut y = vec![0.0; x.len()];
        let task = ROWS * self.width;
        y.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(y, x)| {
            vectorized(
                #[inline(always)]
                || {
                    for (y, x) in y.chunks_exact_mut(self.width).zip(x.chunks_exact(self.width)) {
                        let scale = self.grid.scale(absmax(x));
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y = round(x, scale));
                    }
                },
            );
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}

#[inline(always)]
fn absmax(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most })
}

/// See [`super::quantize_channels`].
pub(super) struct QuantizeChannels {
    /// 0 for a token, `[batch, tokens]`.
    pub(super) bias: Vec<f32>,
}

impl CustomOp1 for QuantizeChannels {
    fn name(&self) -> &'static str {
        "quantize-channels"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, channels) = layout.shape().dims3()?;
        let x = values(x, layout)?;
        if self.bias.len() != batch * tokens || x.is_empty() {
            bail!("quantize-channels: x {:?}, bias of {}", layout.shape(), self.bias.len());
        }
        let mut y = vec![0.0; x.len()];
        let len = tokens * channels;
        let sequences = y.par_chunks_mut(len).zip(x.par_chunks(len)).zip(self.bias.par_chunks(tokens));
        sequences.for_each(|((y, x), bias)| {
            vectorized(
                #[inline(always)]
                || {
                    let mut most = vec![0f32; channels];
                    for (x, _) in x.chunks_exact(channels).zip(bias).filter(|(_, bias)| **bias == 0.0) {
                        most.iter_mut().zip(x).for_each(|(most, x)| {
                            *most = if x.abs() > *most { x.abs() } else { *most };
                        });
                    }
                    let scales: Vec<_> = most.iter().map(|&most| Grid::Activations.scale(most)).collect();
                    for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                        y.iter_mut().zip(x).zip(&scales).for_each(|((y, &x), &scale)| *y = round(x, scale));
                    }
                },
            );
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}

/// Steps of a score of attention in one: 32 in each octave of the weight.
pub(super) const SCORE_STEPS: f32 = math::SCORE_STEPS * math::LOG2_E;

/// A score on the engine's grid.
#[inline(always)]
pub(super) fn round_score(score: f32) -> f32 {
    (score * SCORE_STEPS).round_ties_even() * (1.0 / SCORE_STEPS)
}

/// One row of probabilities of rounded scores on the engine's grid: 255 steps up to the largest, divided by their sum.
#[inline(always)]
pub(super) fn round_probabilities(p: &mut [f32]) {
    let inverse = 1.0 / p.iter().fold(0.0, |most: f32, &p| if p > most { p } else { most });
    let mut sum = 0.0;
    for (p, dither) in p.iter_mut().zip(math::DITHER.into_iter().cycle()) {
        // Of rounded scores, the distance to the largest is a whole number of steps.
        let steps = (log2(*p * inverse) * -math::SCORE_STEPS).round_ties_even();
        *p = f32::from(math::exp2_score(steps as u16, dither));
        sum += *p;
    }
    let scale = 1.0 / sum;
    p.iter_mut().for_each(|p| *p *= scale);
}

/// Adding and subtracting it rounds f32 below 2²² to the nearest integer, ties to even.
const ROUND: f64 = 12_582_912.0;

/// Below this, absmax counts as 0.
const SMALLEST: f64 = 1e-30;

fn rounded(x: &Tensor) -> Result<Tensor> {
    (x + ROUND)? - ROUND
}

/// `x`, with the values of `quantized` and the gradient of `x`.
fn straight_through(x: &Tensor, quantized: &Tensor) -> Result<Tensor> {
    x + (quantized.to_dtype(x.dtype())? - x)?.detach()
}

/// The definition of [`super::quantize_rows`]: `most` is the absmax that belongs to each value of `x`.
fn on_grid(x: &Tensor, most: &Tensor) -> Result<Tensor> {
    let is_zero = most.lt(SMALLEST)?.to_dtype(DType::F32)?;
    let inverse = ((most + is_zero)?.recip()? * 127.0)?;
    rounded(&x.broadcast_mul(&inverse)?)?.broadcast_mul(&(most * (1.0 / 127.0))?)
}

/// See [`super::quantize_rows`].
///
/// # Errors
/// As there.
pub(super) fn composed_rows(x: &Tensor, width: usize, grid: Grid) -> Result<Tensor> {
    let rows = x.detach().to_dtype(DType::F32)?.reshape(((), width))?;
    let mut most = rows.abs()?.max_keepdim(D::Minus1)?;
    if grid == Grid::Gelu {
        let hump = f64::from(math::GELU_HUMP);
        most = ((most.maximum(hump)? + hump)? * 0.5)?;
    }
    let quantized = on_grid(&rows, &most)?.reshape(x.shape())?;
    straight_through(x, &quantized)
}

/// See [`super::quantize_channels`].
///
/// # Errors
/// As there.
pub(super) fn composed_channels(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let values = x.detach().to_dtype(DType::F32)?;
    let is_token = bias.eq(0.0)?.to_dtype(DType::F32)?.unsqueeze(2)?;
    let most = values.broadcast_mul(&is_token)?.abs()?.max_keepdim(1)?;
    straight_through(x, &on_grid(&values, &most)?)
}

/// Scores on the engine's grid, straight through.
///
/// # Errors
/// A failure of the device.
pub(super) fn composed_scores(scores: &Tensor) -> Result<Tensor> {
    let steps = f64::from(SCORE_STEPS);
    straight_through(scores, &(rounded(&(scores.detach() * steps)?)? / steps)?)
}

/// Probabilities of rounded scores (over the last dimension) on the engine's grid, straight through: the weights of
/// [`math::exp2_score`].
///
/// # Errors
/// A failure of the device.
pub(super) fn composed_probabilities(p: &Tensor) -> Result<Tensor> {
    use core::f64::consts::LN_2;
    let [c0, c1, c2] = math::MANTISSA.map(f64::from);
    let per_octave = f64::from(math::SCORE_STEPS);
    let values = p.detach();
    // 0 has no logarithm; nor does what is 30 octaves below the largest have a weight.
    let ratios = values.broadcast_div(&values.max_keepdim(D::Minus1)?)?.maximum(2f64.powi(-30))?;
    let below = rounded(&(ratios.log()? * (-per_octave / LN_2))?)?;
    let octaves = (&below / per_octave)?.floor()?;
    let r = (below - (&octaves * per_octave)?)?;
    let mantissa = ((((&r * c2)? - c1)? * &r)? + c0)?;
    let power = ((octaves + 8.0)? * -LN_2)?.exp()?;
    let dither = |key: usize| f64::from(math::DITHER[key % 4]) / 128.0;
    let dither: Vec<f32> = (0..p.dim(D::Minus1)?).map(|key| dither(key) as f32).collect();
    let steps = (mantissa * power)?.broadcast_add(&Tensor::new(dither, p.device())?)?.floor()?;
    straight_through(p, &steps.broadcast_div(&steps.sum_keepdim(D::Minus1)?)?)
}
