//! Scores, softmax and context: the attention.

use crate::DenseRows;
use crate::layout::TILE;
use crate::math;
use crate::operands::{ContextOperands, Lanes, ScoresOperands, SoftmaxOperands};

use super::Scalar;

/// See [`crate::Kernels::scores`].
pub(super) fn scores(_: Scalar, operands: ScoresOperands<'_>) {
    let ScoresOperands { rows, x, x_scales, max, out, lanes, .. } = operands;
    for (row, out) in out.chunks_exact_mut(lanes.of_scores()).enumerate() {
        for ((out, y), max) in out.iter_mut().zip(dense(rows, row, lanes, x, x_scales)).zip(max.iter_mut()) {
            *out = math::to_score(y);
            *max = (*max).max(*out);
        }
    }
}

/// See [`crate::Kernels::context`].
pub(super) fn context(_: Scalar, operands: ContextOperands<'_>) {
    let ContextOperands { rows, x, x_scales, out, lanes, .. } = operands;
    for (row, out) in out.chunks_exact_mut(lanes.get()).enumerate() {
        out.iter_mut().zip(dense(rows, row, lanes, x, x_scales)).for_each(|(out, y)| *out = y);
    }
}

/// `(Σ x · rows) · x_scales[lane] · rows.scales[row]` for one row.
fn dense<T: Copy + Into<i32>>(
    rows: &DenseRows<'_>,
    row: usize,
    lanes: Lanes,
    x: &[T],
    x_scales: &[f32],
) -> impl Iterator<Item = f32> {
    let start = row * rows.stride;
    let weights = rows.values.get(start..start + rows.cols).unwrap_or(&[]);
    let mut acc = [0i32; TILE];
    for (weights, quads) in weights.chunks_exact(4).zip(x.chunks_exact(4 * lanes.get())) {
        for (acc, quad) in acc.iter_mut().zip(quads.chunks_exact(4)) {
            *acc += quad.iter().zip(weights).map(|(&x, &w)| x.into() * i32::from(w)).sum::<i32>();
        }
    }
    let scale = rows.scales.get(row).copied().unwrap_or(0.0);
    acc.into_iter().zip(x_scales).map(move |(acc, &x_scale)| (acc as f32 * x_scale) * scale)
}

/// See [`crate::Kernels::softmax`].
pub(super) fn softmax(_: Scalar, operands: SoftmaxOperands<'_>) {
    let SoftmaxOperands { scores, max, out, scales, lanes, .. } = operands;
    let wide = lanes.of_scores();
    let mut sums = [0i32; TILE];
    for (rows, out) in scores.chunks(4 * wide).zip(out.chunks_exact_mut(4 * lanes.get())) {
        out.fill(0);
        for ((key, row), dither) in rows.chunks_exact(wide).enumerate().zip(math::DITHER) {
            for (((quad, &score), &max), sum) in out.chunks_exact_mut(4).zip(row).zip(max).zip(&mut sums) {
                let weight = math::exp2_score(max.wrapping_sub(score) as u16, dither);
                if let Some(slot) = quad.get_mut(key) {
                    *slot = weight;
                }
                *sum += i32::from(weight);
            }
        }
    }
    for (scale, &sum) in scales.iter_mut().zip(&sums) {
        *scale = if sum > 0 { 1.0 / sum as f32 } else { 0.0 };
    }
}
