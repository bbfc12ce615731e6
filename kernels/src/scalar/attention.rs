//! Dense products and softmax: the attention.

use super::{check_lanes, ensure};
use crate::layout::TILE;
use crate::math;
use crate::matrix::MAX_DIM;
use crate::{DenseRows, ShapeError};

/// See [`crate::Kernels::dense_i8`].
pub fn dense_i8(rows: &DenseRows<'_>, x: &[i8], x_scales: &[f32], out: &mut [f32]) -> Result<(), ShapeError> {
    dense(rows, x, x_scales, out)
}

/// See [`crate::Kernels::dense_u8`].
pub fn dense_u8(rows: &DenseRows<'_>, x: &[u8], x_scales: &[f32], out: &mut [f32]) -> Result<(), ShapeError> {
    dense(rows, x, x_scales, out)
}

fn dense<T: Copy + Into<i32>>(
    rows: &DenseRows<'_>,
    x: &[T],
    x_scales: &[f32],
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_dense(rows, x.len(), x_scales, out)?;
    for (row, out) in out.chunks_exact_mut(lanes).enumerate() {
        let start = row * rows.stride;
        let weights = rows.values.get(start..start + rows.cols).ok_or(ShapeError)?;
        let mut acc = [0i32; TILE];
        for (weights, quads) in weights.chunks_exact(4).zip(x.chunks_exact(4 * lanes)) {
            for (acc, quad) in acc.iter_mut().zip(quads.chunks_exact(4)) {
                *acc += quad.iter().zip(weights).map(|(&x, &w)| x.into() * i32::from(w)).sum::<i32>();
            }
        }
        let scale = rows.scales.get(row).copied().unwrap_or(0.0);
        for ((out, &acc), &x_scale) in out.iter_mut().zip(&acc).zip(x_scales) {
            *out = (acc as f32 * x_scale) * scale;
        }
    }
    Ok(())
}

/// The shape of a dense product; returns the number of lanes.
pub(crate) fn check_dense(
    rows: &DenseRows<'_>,
    x_len: usize,
    x_scales: &[f32],
    out: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(x_scales.len())?;
    let count = rows.sums.len();
    ensure(rows.cols.is_multiple_of(4) && rows.cols <= rows.stride.min(MAX_DIM))?;
    ensure(rows.scales.len() == count)?;
    ensure(Some(x_len) == rows.cols.checked_mul(lanes) && Some(out.len()) == count.checked_mul(lanes))?;
    let needed = match count.checked_sub(1) {
        Some(last) => last.checked_mul(rows.stride).and_then(|start| start.checked_add(rows.cols)),
        None => Some(0),
    };
    ensure(needed.is_some_and(|needed| needed <= rows.values.len()))?;
    Ok(lanes)
}

/// See [`crate::Kernels::softmax`].
pub fn softmax(scores: &[f32], out: &mut [u8], scales: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_softmax(scores, out, scales)?;
    let mut most = [f32::NEG_INFINITY; TILE];
    for row in scores.chunks_exact(lanes) {
        for (most, &score) in most.iter_mut().zip(row) {
            *most = math::max(score, *most);
        }
    }
    let mut sums = [0i32; TILE];
    for (rows, out) in scores.chunks(4 * lanes).zip(out.chunks_exact_mut(4 * lanes)) {
        out.fill(0);
        for (key, row) in rows.chunks_exact(lanes).enumerate() {
            for (((quad, &score), &most), sum) in out.chunks_exact_mut(4).zip(row).zip(&most).zip(&mut sums) {
                let weight = math::exp2_u8(score - most);
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
    Ok(())
}

/// The shape of a softmax; returns the number of lanes.
pub(crate) fn check_softmax(scores: &[f32], out: &[u8], scales: &[f32]) -> Result<usize, ShapeError> {
    let lanes = check_lanes(scales.len())?;
    let keys = scores.len() / lanes;
    ensure(scores.len() == keys * lanes && out.len() == keys.div_ceil(4) * 4 * lanes)?;
    Ok(lanes)
}
