//! Symmetric int8 per token.

use super::Scalar;
use crate::layout::TILE;
use crate::math;
use crate::operands::{AbsmaxOperands, QuantizeQuadsOperands, QuantizeRowsOperands, QuantizeTokensOperands};

/// Below this a token counts as all zero, so that 127 / absmax stays finite.
pub(crate) const SMALLEST_ABSMAX: f32 = 1e-30;

/// 127 / absmax, or 0 for a token of zeros (or one whose absmax is not finite).
#[inline]
pub(crate) fn inverse_scale(absmax: f32) -> f32 {
    if absmax > SMALLEST_ABSMAX && absmax < f32::INFINITY { 127.0 / absmax } else { 0.0 }
}

/// absmax / 127; 0 for a token of zeros or one whose absmax is not finite.
#[inline]
pub fn scale(absmax: f32) -> f32 {
    if absmax > SMALLEST_ABSMAX && absmax < f32::INFINITY { absmax * (1.0 / 127.0) } else { 0.0 }
}

/// See [`crate::Kernels::absmax`].
pub(super) fn absmax(_: Scalar, operands: AbsmaxOperands<'_>) {
    let AbsmaxOperands { x, absmax, lanes, .. } = operands;
    absmax.fill(0.0);
    for row in x.chunks_exact(lanes.get()) {
        for (max, &x) in absmax.iter_mut().zip(row) {
            *max = math::max(math::abs(x), *max);
        }
    }
}

/// See [`crate::Kernels::quantize_rows`].
pub(super) fn quantize_rows(_: Scalar, operands: QuantizeRowsOperands<'_>) {
    rows(operands, |absmax| absmax, |x| x);
}

/// See [`crate::Kernels::quantize_gelu_rows`].
pub(super) fn quantize_gelu_rows(_: Scalar, operands: QuantizeRowsOperands<'_>) {
    rows(operands, math::gelu_absmax, math::gelu);
}

fn rows(operands: QuantizeRowsOperands<'_>, absmax_of: impl Fn(f32) -> f32, value: impl Fn(f32) -> f32) {
    let QuantizeRowsOperands { x, absmax, out, scales, lanes, .. } = operands;
    let inverse = scale_lanes(absmax, scales, absmax_of);
    for (row, out) in x.chunks_exact(lanes.get()).zip(out.chunks_exact_mut(lanes.of_row())) {
        for ((out, &x), &inverse) in out.iter_mut().zip(row).zip(&inverse) {
            *out = math::round_to_i8(value(x) * inverse);
        }
    }
}

/// See [`crate::Kernels::quantize_quads`].
pub(super) fn quantize_quads(_: Scalar, operands: QuantizeQuadsOperands<'_>) {
    quads(operands, |absmax| absmax, |x| x);
}

/// See [`crate::Kernels::quantize_gelu_quads`].
pub(super) fn quantize_gelu_quads(_: Scalar, operands: QuantizeQuadsOperands<'_>) {
    quads(operands, math::gelu_absmax, math::gelu);
}

fn quads(operands: QuantizeQuadsOperands<'_>, absmax_of: impl Fn(f32) -> f32, value: impl Fn(f32) -> f32) {
    let QuantizeQuadsOperands { x, absmax, out, scales, lanes, .. } = operands;
    let inverse = scale_lanes(absmax, scales, absmax_of);
    for (rows, out) in x.chunks_exact(4 * lanes.get()).zip(out.chunks_exact_mut(4 * lanes.get())) {
        for (feature, row) in rows.chunks_exact(lanes.get()).enumerate() {
            for ((quad, &x), &inverse) in out.chunks_exact_mut(4).zip(row).zip(&inverse) {
                if let Some(slot) = quad.get_mut(feature) {
                    *slot = math::round_to_i8(value(x) * inverse);
                }
            }
        }
    }
}

/// See [`crate::Kernels::quantize_tokens`].
pub(super) fn quantize_tokens(_: Scalar, operands: QuantizeTokensOperands<'_>) {
    let QuantizeTokensOperands { x, absmax, out, scales, sums, lanes, features, .. } = operands;
    let inverse = scale_lanes(absmax, scales, |absmax| absmax);
    let tokens = out.chunks_exact_mut(features.get()).zip(sums).zip(&inverse);
    for (lane, ((out, sum), &inverse)) in tokens.enumerate() {
        for (out, &x) in out.iter_mut().zip(x.iter().skip(lane).step_by(lanes.get())) {
            *out = math::round_to_i8(x * inverse);
        }
        *sum = out.iter().map(|&q| i32::from(q)).sum();
    }
}

/// Fills `scales` and returns the inverse scales of the lanes; their absmax is `absmax_of` what is in `absmax`.
fn scale_lanes(absmax: &[f32], scales: &mut [f32], absmax_of: impl Fn(f32) -> f32) -> [f32; TILE] {
    let mut inverse = [0f32; TILE];
    for ((inverse, scale_of_lane), &absmax) in inverse.iter_mut().zip(scales).zip(absmax) {
        let absmax = absmax_of(absmax);
        (*inverse, *scale_of_lane) = (inverse_scale(absmax), scale(absmax));
    }
    inverse
}
