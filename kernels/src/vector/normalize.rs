//! LayerNorm over features.

use super::{Columns, Vector, each, for_columns};
use crate::operands::LayerNormOperands;

/// See [`crate::Kernels::layer_norm`].
#[inline(always)]
pub(crate) fn layer_norm<V: Vector>(v: V, operands: LayerNormOperands<'_>) {
    let LayerNormOperands { x, gamma, beta, epsilon, absmax, lanes, .. } = operands;
    for_columns!(V, lanes.get(), 4, |column, K| {
        let at = Columns { rows: gamma.len(), lanes: lanes.get(), column };
        // SAFETY: `x` has a row of `lanes` elements for each of `gamma` and `beta`, `absmax` one.
        unsafe {
            columns::<V, K>(v, x.as_mut_ptr(), gamma, beta, epsilon, at, absmax.as_mut_ptr());
        }
    });
}

/// # Safety
/// `x` must be valid for the rows and `absmax` for one row, `K` vectors from the column on; `gamma` and `beta` have
/// as many elements as there are rows.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize>(
    v: V,
    x: *mut f32,
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    at: Columns,
    absmax: *mut f32,
) {
    // SAFETY: vector `k` of the group of columns, for each row.
    let load = |row, k| unsafe { v.load(x.add(at.at(row) + k * V::LANES)) };
    let count = v.splat(1.0 / at.rows as f32);
    let mut sum = [v.splat(0.0); K];
    for row in 0..at.rows {
        sum = each!(sum, |k| v.add(sum[k], load(row, k)));
    }
    let mean = each!(sum, |k| v.mul(sum[k], count));
    let mut squares = [v.splat(0.0); K];
    for row in 0..at.rows {
        squares = each!(squares, |k| {
            let x = v.sub(load(row, k), mean[k]);
            v.add(squares[k], v.mul(x, x))
        });
    }
    let epsilon = v.splat(epsilon);
    let inverse = each!(squares, |k| v.div(v.splat(1.0), v.sqrt(v.add(v.mul(squares[k], count), epsilon))));
    let mut max = [v.splat(0.0); K];
    for ((row, &gamma), &beta) in (0..at.rows).zip(gamma).zip(beta) {
        let (gamma, beta) = (v.splat(gamma), v.splat(beta));
        for k in 0..K {
            let normal = v.mul(v.sub(load(row, k), mean[k]), inverse[k]);
            let y = v.add(v.mul(normal, gamma), beta);
            max[k] = v.max(v.abs(y), max[k]);
            // SAFETY: vector `k` of the group of columns.
            unsafe { v.store(y, x.add(at.at(row) + k * V::LANES)) }
        }
    }
    for (k, max) in max.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { v.store(max, absmax.add(at.column + k * V::LANES)) }
    }
}
