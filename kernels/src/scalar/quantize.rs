//! int8 per token: symmetric, and of GELU's results affine.

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
    rows::<false>(operands);
}

/// See [`crate::Kernels::quantize_gelu_rows`].
pub(super) fn quantize_gelu_rows(_: Scalar, operands: QuantizeRowsOperands<'_>) {
    rows::<true>(operands);
}

fn rows<const GELU: bool>(operands: QuantizeRowsOperands<'_>) {
    let QuantizeRowsOperands { x, absmax, out, scales, lanes, .. } = operands;
    let grids = grids::<GELU>(absmax, scales);
    for (row, out) in x.chunks_exact(lanes.get()).zip(out.chunks_exact_mut(lanes.of_row())) {
        for ((out, &x), grid) in out.iter_mut().zip(row).zip(&grids) {
            *out = grid.round(x);
        }
    }
}

/// See [`crate::Kernels::quantize_quads`].
pub(super) fn quantize_quads(_: Scalar, operands: QuantizeQuadsOperands<'_>) {
    quads::<false>(operands);
}

/// See [`crate::Kernels::quantize_gelu_quads`].
pub(super) fn quantize_gelu_quads(_: Scalar, operands: QuantizeQuadsOperands<'_>) {
    quads::<true>(operands);
}

fn quads<const GELU: bool>(operands: QuantizeQuadsOperands<'_>) {
    let QuantizeQuadsOperands { x, absmax, out, scales, lanes, .. } = operands;
    let grids = grids::<GELU>(absmax, scales);
    for (rows, out) in x.chunks_exact(4 * lanes.get()).zip(out.chunks_exact_mut(4 * lanes.get())) {
        for (feature, row) in rows.chunks_exact(lanes.get()).enumerate() {
            for ((quad, &x), grid) in out.chunks_exact_mut(4).zip(row).zip(&grids) {
                if let Some(slot) = quad.get_mut(feature) {
                    *slot = grid.round(x);
                }
            }
        }
    }
}

/// See [`crate::Kernels::quantize_tokens`].
pub(super) fn quantize_tokens(_: Scalar, operands: QuantizeTokensOperands<'_>) {
    let QuantizeTokensOperands { x, absmax, out, scales, sums, lanes, features, .. } = operands;
    let grids = grids::<false>(absmax, scales);
    let tokens = out.chunks_exact_mut(features.get()).zip(sums).zip(&grids);
    for (lane, ((out, sum), grid)) in tokens.enumerate() {
        for (out, &x) in out.iter_mut().zip(x.iter().skip(lane).step_by(lanes.get())) {
            *out = grid.round(x);
        }
        *sum = out.iter().map(|&q| i32::from(q)).sum();
    }
}

/// A lane's grid; of `gelu(x)` if `GELU`, else of `x`.
#[derive(Clone, Copy)]
struct LaneGrid<const GELU: bool> {
    inverse: f32,
    zero_point: f32,
}

impl<const GELU: bool> LaneGrid<GELU> {
    fn round(self, x: f32) -> i8 {
        if GELU {
            math::gelu_to_i8(math::gelu(x) * self.inverse - self.zero_point)
        } else {
            math::round_to_i8(x * self.inverse)
        }
    }
}

/// Fills `scales` and returns the grids of the lanes; for GELU, `absmax` holds the largest values.
fn grids<const GELU: bool>(absmax: &[f32], scales: &mut [f32]) -> [LaneGrid<GELU>; TILE] {
    let mut grids = [LaneGrid { inverse: 0.0, zero_point: 0.0 }; TILE];
    for ((grid, scale_of_lane), &absmax) in grids.iter_mut().zip(scales).zip(absmax) {
        let absmax = if GELU { math::gelu_half_range(absmax) } else { absmax };
        *scale_of_lane = scale(absmax);
        grid.inverse = inverse_scale(absmax);
        if GELU {
            grid.zero_point = math::gelu_zero_point(*scale_of_lane) as f32;
        }
    }
    grids
}
