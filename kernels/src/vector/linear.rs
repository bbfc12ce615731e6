//! The output layer: a small linear layer in f32.

use super::{Columns, Vector, for_columns};
use crate::operands::LinearOperands;

/// See [`crate::Kernels::linear_f32`].
#[inline(always)]
pub(crate) fn linear_f32<V: Vector>(v: V, operands: LinearOperands<'_>) {
    let LinearOperands { weights, bias, x, out, lanes, features, .. } = operands;
    let (lanes, features) = (lanes.get(), features.get());
    for ((weights, &bias), out) in weights.chunks_exact(features).zip(bias).zip(out.chunks_exact_mut(lanes)) {
        for_columns!(V, lanes, 4, |column, K| {
            let at = Columns { rows: features, lanes, column };
            // SAFETY: `x` has `features` rows of `lanes` elements, `out` one.
            unsafe { columns::<V, K>(v, weights, bias, x.as_ptr(), at, out.as_mut_ptr()) }
        });
    }
}

/// # Safety
/// `x` must be valid for the rows and `out` for one row, `K` vectors from the column on; `weights` has as many
/// elements as there are rows.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize>(
    v: V,
    weights: &[f32],
    bias: f32,
    x: *const f32,
    at: Columns,
    out: *mut f32,
) {
    let mut sum = [v.splat(bias); K];
    for (row, &weight) in (0..at.rows).zip(weights) {
        let weight = v.splat(weight);
        for (k, sum) in sum.iter_mut().enumerate() {
            // SAFETY: vector `k` of the group of columns.
            let x = unsafe { v.load(x.add(at.at(row) + k * V::LANES)) };
            *sum = v.add(*sum, v.mul(x, weight));
        }
    }
    for (k, sum) in sum.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { v.store(sum, out.add(at.column + k * V::LANES)) }
    }
}
