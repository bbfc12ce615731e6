//! Scores, softmax and context: the attention.

use super::{check_lanes, ensure};
use crate::layout::{TILE, score_lanes};
use crate::math;
use crate::matrix::MAX_DIM;
use crate::{DenseRows, ShapeError};

/// See [`crate::Kernels::scores`].
pub fn scores(
    rows: &DenseRows<'_>,
    x: &[i8],
    x_scales: &[f32],
    most: &mut [i16],
    out: &mut [i16],
) -> Result<(), ShapeError> {
    let lanes = check_scores(rows, x.len(), x_scales, most, out)?;
    for (row, out) in out.chunks_exact_mut(score_lanes(lanes)).enumerate() {
        for ((out, y), most) in out.iter_mut().zip(dense(rows, row, lanes, x, x_scales)?).zip(most.iter_mut())
        {
            *out = math::to_score(y);
            *most = (*most).max(*out);
        }
    }
    Ok(())
}

/// See [`crate::Kernels::context`].
pub fn context(rows: &DenseRows<'_>, x: &[u8], x_scales: &[f32], out: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_context(rows, x.len(), x_scales, out)?;
    for (row, out) in out.chunks_exact_mut(lanes).enumerate() {
        out.iter_mut().zip(dense(rows, row, lanes, x, x_scales)?).for_each(|(out, y)| *out = y);
    }
    Ok(())
}

/// `(Σ x · rows) · x_scales[lane] · rows.scales[row]` for one row.
fn dense<T: Copy + Into<i32>>(
    rows: &DenseRows<'_>,
    row: usize,
    lanes: usize,
    x: &[T],
    x_scales: &[f32],
) -> Result<impl Iterator<Item = f32>, ShapeError> {
    let start = row * rows.stride;
    let weights = rows.values.get(start..start + rows.cols).ok_or(ShapeError)?;
    let mut acc = [0i32; TILE];
    for (weights, quads) in weights.chunks_exact(4).zip(x.chunks_exact(4 * lanes)) {
        for (acc, quad) in acc.iter_mut().zip(quads.chunks_exact(4)) {
            *acc += quad.iter().zip(weights).map(|(&x, &w)| x.into() * i32::from(w)).sum::<i32>();
        }
    }
    let scale = rows.scales.get(row).copied().unwrap_or(0.0);
    Ok(acc.into_iter().zip(x_scales).map(move |(acc, &x_scale)| (acc as f32 * x_scale) * scale))
}

/// The shape of a dense product's operands; returns the number of lanes.
fn check_dense(rows: &DenseRows<'_>, x_len: usize, x_scales: &[f32]) -> Result<usize, ShapeError> {
    let lanes = check_lanes(x_scales.len())?;
    let count = rows.sums.len();
    ensure(rows.cols.is_multiple_of(4) && rows.cols <= rows.stride.min(MAX_DIM))?;
    ensure(rows.scales.len() == count && Some(x_len) == rows.cols.checked_mul(lanes))?;
    let needed = match count.checked_sub(1) {
        Some(last) => last.checked_mul(rows.stride).and_then(|start| start.checked_add(rows.cols)),
        None => Some(0),
    };
    ensure(needed.is_some_and(|needed| needed <= rows.values.len()))?;
    Ok(lanes)
}

/// The shape of a product to scores; returns the number of lanes.
pub(crate) fn check_scores(
    rows: &DenseRows<'_>,
    x_len: usize,
    x_scales: &[f32],
    most: &[i16],
    out: &[i16],
) -> Result<usize, ShapeError> {
    let lanes = check_dense(rows, x_len, x_scales)?;
    let wide = score_lanes(lanes);
    ensure(most.len() == wide && Some(out.len()) == rows.sums.len().checked_mul(wide))?;
    Ok(lanes)
}

/// The shape of a product to a context; returns the number of lanes.
pub(crate) fn check_context(
    rows: &DenseRows<'_>,
    x_len: usize,
    x_scales: &[f32],
    out: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_dense(rows, x_len, x_scales)?;
    ensure(Some(out.len()) == rows.sums.len().checked_mul(lanes))?;
    Ok(lanes)
}

/// See [`crate::Kernels::softmax`].
pub fn softmax(scores: &[i16], most: &[i16], out: &mut [u8], scales: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_softmax(scores, most, out, scales)?;
    let wide = score_lanes(lanes);
    let mut sums = [0i32; TILE];
    for (rows, out) in scores.chunks(4 * wide).zip(out.chunks_exact_mut(4 * lanes)) {
        out.fill(0);
        for (key, row) in rows.chunks_exact(wide).enumerate() {
            for (((quad, &score), &most), sum) in out.chunks_exact_mut(4).zip(row).zip(most).zip(&mut sums) {
                let weight = math::exp2_score(most.wrapping_sub(score) as u16);
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
pub(crate) fn check_softmax(
    scores: &[i16],
    most: &[i16],
    out: &[u8],
    scales: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(scales.len())?;
    let (wide, keys) = (score_lanes(lanes), scores.len() / score_lanes(lanes));
    ensure(most.len() == wide && scores.len() == keys * wide)?;
    ensure(out.len() == keys.div_ceil(4) * 4 * lanes)?;
    Ok(lanes)
}
