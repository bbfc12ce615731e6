//! The dense products of attention: some rows × 2 vectors of lanes.

use super::Dot;
use crate::DenseRows;
use crate::operands::{ContextOperands, ScoresOperands};
use crate::vector::{ContextSink, DenseSink, ScoresSink};

/// Vectors of lanes side by side.
const K: usize = 2;

/// See [`crate::Kernels::scores`].
#[inline(always)]
pub(in super::super) fn scores<D: Dot>(d: D, mut operands: ScoresOperands<'_>) {
    let sink = ScoresSink::new(&mut operands);
    let ScoresOperands { rows, x, lanes, .. } = operands;
    // SAFETY: the operands were checked: `rows` is as its fields say, `x` has `cols / 4` rows of `lanes` quads, and the
    // sink a row for each row.
    unsafe { dense::<D, true>(d, rows, x.as_ptr().cast(), lanes.get(), sink) }
}

/// See [`crate::Kernels::context`].
#[inline(always)]
pub(in super::super) fn context<D: Dot>(d: D, mut operands: ContextOperands<'_>) {
    let sink = ContextSink::new(&mut operands);
    let ContextOperands { rows, x, lanes, .. } = operands;
    // SAFETY: as in `scores`.
    unsafe { dense::<D, false>(d, rows, x.as_ptr(), lanes.get(), sink) }
}

/// Both products; `SIGNED`: `x` is int8, otherwise u8.
///
/// # Safety
/// `x` must be valid for `cols / 4` rows of `lanes` quads, 16, 32, 48 or 64; the slices of `rows` must be as long as its
/// documentation says, and `sink` good for its rows and the lanes.
#[inline(always)]
unsafe fn dense<D: Dot, const SIGNED: bool>(
    d: D,
    rows: &DenseRows<'_>,
    x: *const u8,
    lanes: usize,
    sink: impl DenseSink<D>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match D::DENSE_ROWS {
            6 => columns::<D, 6, SIGNED>(d, rows, x, lanes, sink),
            _ => columns::<D, 4, SIGNED>(d, rows, x, lanes, sink),
        }
    }
}

/// # Safety
/// As for [`dense`].
#[inline(always)]
unsafe fn columns<D: Dot, const R: usize, const SIGNED: bool>(
    d: D,
    rows: &DenseRows<'_>,
    x: *const u8,
    lanes: usize,
    sink: impl DenseSink<D>,
) {
    let count = rows.sums.len();
    for column in (0..lanes).step_by(K * D::LANES) {
        // SAFETY: `lanes` is a multiple of the 8 or 16 lanes of a group; each call gets rows below `count`.
        unsafe {
            let mut row = 0;
            while row + R <= count {
                group::<D, R, SIGNED>(d, rows, row, lanes, column, x, sink);
                row += R;
            }
            while row < count {
                group::<D, 1, SIGNED>(d, rows, row, lanes, column, x, sink);
                row += 1;
            }
        }
    }
}

/// Rows `first .. first + R`, from lane `column` on.
///
/// # Safety
/// As for [`dense`]; these rows and lanes exist.
#[inline(always)]
unsafe fn group<D: Dot, const R: usize, const SIGNED: bool>(
    d: D,
    rows: &DenseRows<'_>,
    first: usize,
    lanes: usize,
    column: usize,
    x: *const u8,
    sink: impl DenseSink<D>,
) {
    // SAFETY: the rows exist, and each slice has what the documentation of `DenseRows` says.
    unsafe {
        let (x, weights) = (x.add(4 * column), rows.values.as_ptr().add(first * rows.stride));
        let mut acc = [[d.splat_i32(0); K]; R];
        for (r, acc) in acc.iter_mut().enumerate() {
            let start = if SIGNED { D::SIGNED_START } else { D::UNSIGNED_START };
            *acc = [d.splat_i32(rows.sums.as_ptr().add(first + r).read().wrapping_mul(start)); K];
        }
        for quad in 0..rows.cols / 4 {
            let load = x.add(4 * quad * lanes).cast::<i32>();
            let (a, b) = (d.load_i32(load), d.load_i32(load.add(D::LANES)));
            let x = if SIGNED { [d.signed(a), d.signed(b)] } else { [d.unsigned(a), d.unsigned(b)] };
            for (r, acc) in acc.iter_mut().enumerate() {
                let weights = weights.add(r * rows.stride + 4 * quad).cast::<i32>().read_unaligned();
                let weights = d.splat_i32(weights);
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = d.dot(*acc, x, weights);
                }
            }
        }
        sink.put(d, &acc, first, column);
    }
}
