//! LayerNorm and the output layer.

use super::Scalar;
use crate::layout::TILE;
use crate::math;
use crate::operands::{LayerNormOperands, LinearOperands};

/// See [`crate::Kernels::layer_norm`].
///
/// Two passes (mean, then the variance around it; Ba, Kiros and Hinton 2016), each a plain sum in the order of
/// the features: `((x − mean) · 1/√(variance + ε)) · γ + β`.
pub(super) fn layer_norm(_: Scalar, operands: LayerNormOperands<'_>) {
    let LayerNormOperands { x, gamma, beta, epsilon, absmax, lanes, .. } = operands;
    let lanes = lanes.get();
    let count = 1.0 / gamma.len() as f32;
    let (mut mean, mut inverse) = ([0f32; TILE], [0f32; TILE]);
    for row in x.chunks_exact(lanes) {
        mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum *= count);
    for row in x.chunks_exact(lanes) {
        for ((sum, &x), &mean) in inverse.iter_mut().zip(row).zip(&mean) {
            *sum += (x - mean) * (x - mean);
        }
    }
    inverse.iter_mut().for_each(|sum| *sum = 1.0 / math::sqrt(*sum * count + epsilon));
    absmax.fill(0.0);
    for ((row, &gamma), &beta) in x.chunks_exact_mut(lanes).zip(gamma).zip(beta) {
        for (((x, &mean), &inverse), max) in row.iter_mut().zip(&mean).zip(&inverse).zip(absmax.iter_mut()) {
            *x = ((*x - mean) * inverse) * gamma + beta;
            *max = math::max(math::abs(*x), *max);
        }
    }
}

/// See [`crate::Kernels::linear_f32`].
pub(super) fn linear_f32(_: Scalar, operands: LinearOperands<'_>) {
    let LinearOperands { weights, bias, x, out, lanes, features, .. } = operands;
    let rows = weights.chunks_exact(features.get()).zip(bias);
    for ((weights, &bias), out) in rows.zip(out.chunks_exact_mut(lanes.get())) {
        out.fill(bias);
        for (&weight, row) in weights.iter().zip(x.chunks_exact(lanes.get())) {
            out.iter_mut().zip(row).for_each(|(out, &x)| *out += x * weight);
        }
    }
}
