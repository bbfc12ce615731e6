//! What becomes of a dense product's accumulators.

use super::{Vector, each};
use crate::operands::{ContextOperands, ScoresOperands};

/// Takes the accumulators of some rows and lanes.
pub(crate) trait DenseSink<V: Vector>: Copy {
    /// `K` vectors of rows `first .. first + R`, from lane `column` on. `K` is even, or odd where the tile has no more
    /// lanes.
    ///
    /// # Safety
    /// The sink's slices must be valid for these rows and lanes.
    unsafe fn put<const R: usize, const K: usize>(
        self,
        v: V,
        acc: &[[V::I32; K]; R],
        first: usize,
        column: usize,
    );
}

/// `(acc · x_scale) · scale` for one row.
///
/// # Safety
/// The row must have a scale, and `x_scales` be valid for `K` vectors.
#[inline(always)]
unsafe fn scale<V: Vector, const K: usize>(
    v: V,
    acc: &[V::I32; K],
    x_scales: *const f32,
    scale: *const f32,
) -> [V::F32; K] {
    // SAFETY: the caller's promise.
    unsafe {
        let scale = v.splat(*scale);
        each!([v.splat(0.0); K], |k| {
            v.mul(v.mul(v.to_f32(acc[k]), v.load(x_scales.add(k * V::LANES))), scale)
        })
    }
}

/// The output of [`crate::Kernels::context`].
#[derive(Clone, Copy)]
pub(crate) struct ContextSink {
    scales: *const f32,
    x_scales: *const f32,
    lanes: usize,
    out: *mut f32,
}

impl ContextSink {
    /// For as long as the operands are borrowed.
    pub(crate) fn new(operands: &mut ContextOperands<'_>) -> Self {
        Self {
            scales: operands.rows.scales.as_ptr(),
            x_scales: operands.x_scales.as_ptr(),
            lanes: operands.lanes.get(),
            out: operands.out.as_mut_ptr(),
        }
    }
}

impl<V: Vector> DenseSink<V> for ContextSink {
    #[inline(always)]
    unsafe fn put<const R: usize, const K: usize>(
        self,
        v: V,
        acc: &[[V::I32; K]; R],
        first: usize,
        column: usize,
    ) {
        for (row, acc) in (first..).zip(acc) {
            // SAFETY: the caller's promise.
            unsafe {
                let y = scale(v, acc, self.x_scales.add(column), self.scales.add(row));
                for (k, y) in y.into_iter().enumerate() {
                    v.store(y, self.out.add(row * self.lanes + column + k * V::LANES));
                }
            }
        }
    }
}

/// The output of [`crate::Kernels::scores`]: [`Vector::to_score`] of neighboring vectors.
#[derive(Clone, Copy)]
pub(crate) struct ScoresSink {
    scales: *const f32,
    x_scales: *const f32,
    wide: usize,
    max: *mut i16,
    out: *mut i16,
}

impl ScoresSink {
    /// For as long as the operands are borrowed.
    pub(crate) fn new(operands: &mut ScoresOperands<'_>) -> Self {
        Self {
            scales: operands.rows.scales.as_ptr(),
            x_scales: operands.x_scales.as_ptr(),
            wide: operands.lanes.of_scores(),
            max: operands.max.as_mut_ptr(),
            out: operands.out.as_mut_ptr(),
        }
    }
}

impl<V: Vector> DenseSink<V> for ScoresSink {
    #[inline(always)]
    unsafe fn put<const R: usize, const K: usize>(
        self,
        v: V,
        acc: &[[V::I32; K]; R],
        first: usize,
        column: usize,
    ) {
        // SAFETY: the caller's promise. Half as many vectors of 16-bit lanes as of 32-bit ones begin at `column`, and at
        // least one, for which a row is wide enough.
        unsafe {
            let pairs = K.div_ceil(2);
            let place = |k: usize| column + 2 * k * V::LANES;
            let mut max = each!([v.splat_i16(0); K], |k| {
                if k < pairs { v.load_i16(self.max.add(place(k))) } else { v.splat_i16(0) }
            });
            for (row, acc) in (first..).zip(acc) {
                let y = scale(v, acc, self.x_scales.add(column), self.scales.add(row));
                for (k, max) in max.iter_mut().enumerate().take(pairs) {
                    let score = v.to_score(y[2 * k], y[(2 * k + 1) % K]);
                    v.store_i16(score, self.out.add(row * self.wide + place(k)));
                    *max = v.max_i16(score, *max);
                }
            }
            for (k, max) in max.into_iter().enumerate().take(pairs) {
                v.store_i16(max, self.max.add(place(k)));
            }
        }
    }
}
