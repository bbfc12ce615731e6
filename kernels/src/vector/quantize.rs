//! int8 per token: symmetric, and of GELU's results affine.

use super::{Columns, Vector, each, for_columns};
use crate::layout::{TILE, row_lanes};
use crate::math;
use crate::operands::{
    AbsmaxOperands, QuantizeOperands, QuantizeQuadsOperands, QuantizeRowsOperands, QuantizeTokensOperands,
};
use crate::scalar::SMALLEST_ABSMAX;

/// See [`crate::Kernels::absmax`].
#[inline(always)]
pub(crate) fn absmax<V: Vector>(v: V, operands: AbsmaxOperands<'_>) {
    let AbsmaxOperands { x, absmax, lanes, .. } = operands;
    let rows = x.len() / lanes.get();
    for_columns!(V, lanes.get(), 4, |column, K| {
        let at = Columns { rows, lanes: lanes.get(), column };
        // SAFETY: `x` has `rows` rows of `lanes` elements and `absmax` one; `for_columns` keeps the columns inside.
        unsafe { absmax_columns::<V, K>(v, x.as_ptr(), at, absmax.as_mut_ptr()) }
    });
}

/// # Safety
/// `x` must be valid for the rows and `absmax` for one row, `K` vectors from the column on.
#[inline(always)]
unsafe fn absmax_columns<V: Vector, const K: usize>(v: V, x: *const f32, at: Columns, absmax: *mut f32) {
    let mut max = [v.splat(0.0); K];
    for row in 0..at.rows {
        for (k, max) in max.iter_mut().enumerate() {
            // SAFETY: vector `k` of the group of columns.
            let x = unsafe { v.load(x.add(at.at(row) + k * V::LANES)) };
            *max = v.max(v.abs(x), *max);
        }
    }
    for (k, max) in max.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { v.store(max, absmax.add(at.column + k * V::LANES)) }
    }
}

/// The inverse scale and the zero point of each lane.
struct Grids {
    inverse: [f32; TILE],
    /// 0 everywhere unless the grid is GELU's.
    zero_points: [f32; TILE],
}

impl Grids {
    /// # Safety
    /// `K` vectors from the column on must be inside of a tile.
    #[inline(always)]
    unsafe fn inverse<V: Vector, const K: usize>(&self, v: V, at: Columns) -> [V::F32; K] {
        // SAFETY: vector `k` of the group of columns.
        each!([v.splat(0.0); K], |k| unsafe { v.load(self.inverse.as_ptr().add(at.column + k * V::LANES)) })
    }

    /// # Safety
    /// As for [`Grids::inverse`].
    #[inline(always)]
    unsafe fn zero_points<V: Vector, const K: usize>(&self, v: V, at: Columns) -> [V::F32; K] {
        // SAFETY: vector `k` of the group of columns.
        each!([v.splat(0.0); K], |k| unsafe {
            v.load(self.zero_points.as_ptr().add(at.column + k * V::LANES))
        })
    }
}

/// Fills `scales` and returns the grids of the lanes. `GELU`: of GELU's results, `absmax` are the largest values.
#[inline(always)]
fn grids<V: Vector, const GELU: bool>(v: V, absmax: &[f32], scales: &mut [f32]) -> Grids {
    let inverse = scale_lanes::<V, GELU>(v, absmax, scales);
    let mut zero_points = [0f32; TILE];
    if GELU {
        for (scales, zero_points) in scales.chunks_exact(V::LANES).zip(zero_points.chunks_exact_mut(V::LANES))
        {
            // SAFETY: each chunk has `LANES` elements.
            unsafe { v.store(gelu_zero_point(v, v.load(scales.as_ptr())), zero_points.as_mut_ptr()) }
        }
    }
    Grids { inverse, zero_points }
}

/// Fills `scales` and returns the inverse scales of the lanes. `GELU`: their absmax is half the range of GELU's results.
#[inline(always)]
fn scale_lanes<V: Vector, const GELU: bool>(v: V, absmax: &[f32], scales: &mut [f32]) -> [f32; TILE] {
    let mut inverse = [0f32; TILE];
    let chunks = absmax.chunks_exact(V::LANES).zip(scales.chunks_exact_mut(V::LANES));
    for ((absmax, scales), inverse) in chunks.zip(inverse.chunks_exact_mut(V::LANES)) {
        // SAFETY: each chunk has `LANES` elements.
        unsafe {
            let absmax = v.load(absmax.as_ptr());
            let absmax = if GELU { gelu_half_range(v, absmax) } else { absmax };
            let (zero, infinity) = (v.splat(0.0), v.splat(f32::INFINITY));
            let legal = |x| {
                let finite = v.select_less(absmax, infinity, x, zero);
                v.select_less(v.splat(SMALLEST_ABSMAX), absmax, finite, zero)
            };
            v.store(legal(v.div(v.splat(127.0), absmax)), inverse.as_mut_ptr());
            v.store(legal(v.mul(absmax, v.splat(1.0 / 127.0))), scales.as_mut_ptr());
        }
    }
    inverse
}

/// The nearest number in [−127, 127]; −127 for what is not a number.
#[inline(always)]
fn clamp<V: Vector>(v: V, x: V::F32) -> V::F32 {
    v.min(v.max(x, v.splat(-127.0)), v.splat(127.0))
}

/// [`math::round_to_i8`], in the low byte; the lane is the integer plus the bits of [`math::ROUND`].
#[inline(always)]
pub(super) fn round<V: Vector>(v: V, x: V::F32) -> V::I32 {
    to_integer(v, clamp(v, x))
}

/// [`round`] of what is in [−128, 127].
#[inline(always)]
fn to_integer<V: Vector>(v: V, x: V::F32) -> V::I32 {
    v.to_bits(v.add(x, v.splat(math::ROUND)))
}

/// What [`math::gelu_to_i8`] rounds, in [−128, 127].
#[inline(always)]
fn gelu_on_grid<V: Vector>(v: V, x: V::F32, inverse: V::F32, zero_point: V::F32) -> V::F32 {
    v.min(v.sub(v.mul(gelu(v, x), inverse), zero_point), v.splat(127.0))
}

/// [`math::gelu_half_range`].
#[inline(always)]
fn gelu_half_range<V: Vector>(v: V, most: V::F32) -> V::F32 {
    let hump = v.splat(math::GELU_HUMP);
    v.mul(v.add(v.max(gelu(v, most), hump), hump), v.splat(0.5))
}

/// [`math::gelu_zero_point`], as a float.
#[inline(always)]
fn gelu_zero_point<V: Vector>(v: V, scale: V::F32) -> V::F32 {
    let (below, magic) =
        (v.min(v.div(v.splat(math::GELU_HUMP), scale), v.splat(127.0)), v.splat(math::ROUND));
    v.sub(v.splat(127.0), v.sub(v.add(below, magic), magic))
}

/// [`math::gelu`].
#[inline(always)]
fn gelu<V: Vector>(v: V, x: V::F32) -> V::F32 {
    let limit = v.splat(math::GELU_LIMIT);
    let a = v.min(v.abs(x), limit);
    let s = v.sub(limit, a);
    let root = v.mul(s, v.horner(&math::GELU_ROOT, s));
    v.sub(v.max(x, v.splat(0.0)), v.mul(v.mul(root, root), a))
}

/// What [`round`] adds to the integers, `count` times.
fn bias(count: usize) -> i32 {
    (math::ROUND.to_bits() as i32).wrapping_mul(count as i32)
}

/// See [`crate::Kernels::quantize_rows`].
#[inline(always)]
pub(crate) fn quantize_rows<V: Vector>(v: V, operands: QuantizeRowsOperands<'_>) {
    quantize::<V, false, false>(v, operands);
}

/// See [`crate::Kernels::quantize_gelu_rows`].
#[inline(always)]
pub(crate) fn quantize_gelu_rows<V: Vector>(v: V, operands: QuantizeRowsOperands<'_>) {
    quantize::<V, false, true>(v, operands);
}

/// See [`crate::Kernels::quantize_quads`].
#[inline(always)]
pub(crate) fn quantize_quads<V: Vector>(v: V, operands: QuantizeQuadsOperands<'_>) {
    quantize::<V, true, false>(v, operands);
}

/// See [`crate::Kernels::quantize_gelu_quads`].
#[inline(always)]
pub(crate) fn quantize_gelu_quads<V: Vector>(v: V, operands: QuantizeQuadsOperands<'_>) {
    quantize::<V, true, true>(v, operands);
}

#[inline(always)]
fn quantize<V: Vector, const QUADS: bool, const GELU: bool>(v: V, operands: QuantizeOperands<'_, QUADS>) {
    let QuantizeOperands { x, absmax, out, scales, lanes, .. } = operands;
    let grids = grids::<V, GELU>(v, absmax, scales);
    let rows = x.len() / lanes.get();
    for_columns!(V, lanes.get(), 4, |column, K| {
        let at = Columns { rows, lanes: lanes.get(), column };
        let (x, out) = (x.as_ptr(), out.as_mut_ptr());
        // SAFETY: `x` has `rows` rows of `lanes` elements and each array of `grids` has one. For quads, `out` has as many bytes, and the
        // rows are a multiple of 4; else it has rows of `row_lanes(lanes)`, and three vectors are all of 48 lanes.
        unsafe {
            if QUADS {
                quads_columns::<V, K, GELU>(v, x, &grids, at, out);
            } else {
                rows_columns::<V, K, GELU>(v, x, &grids, at, out);
            }
        }
    });
}

/// # Safety
/// `x` must be valid for the rows and `out` for rows of [`row_lanes`], `K` vectors from the column on, which is one of a
/// tile; of `out` four vectors if `K` is 3.
#[inline(always)]
unsafe fn rows_columns<V: Vector, const K: usize, const GELU: bool>(
    v: V,
    x: *const f32,
    grids: &Grids,
    at: Columns,
    out: *mut i8,
) {
    // SAFETY: the caller's promise.
    let (inverse, zero_points) = unsafe { (grids.inverse::<V, K>(v, at), grids.zero_points::<V, K>(v, at)) };
    for row in 0..at.rows {
        let start = at.at(row);
        let scaled = each!([v.splat(0.0); K], |k| {
            // SAFETY: as above.
            let x = unsafe { v.load(x.add(start + k * V::LANES)) };
            if GELU { gelu_on_grid(v, x, inverse[k], zero_points[k]) } else { clamp(v, v.mul(x, inverse[k])) }
        });
        // SAFETY: as above.
        unsafe { v.store_row(scaled, out.add(row * row_lanes(at.lanes) + at.column)) }
    }
}

/// # Safety
/// `x` and `out` must be valid for the rows, a multiple of 4, `K` vectors from the column on, which is one of a tile.
#[inline(always)]
unsafe fn quads_columns<V: Vector, const K: usize, const GELU: bool>(
    v: V,
    x: *const f32,
    grids: &Grids,
    at: Columns,
    out: *mut i8,
) {
    // SAFETY: the caller's promise.
    let (inverse, zero_points) = unsafe { (grids.inverse::<V, K>(v, at), grids.zero_points::<V, K>(v, at)) };
    for row in (0..at.rows).step_by(4) {
        for (k, (&inverse, &zero_point)) in inverse.iter().zip(&zero_points).enumerate() {
            let column = k * V::LANES;
            // SAFETY: as above; four rows from `row` on.
            let load = |i| unsafe { v.load(x.add(at.at(row + i) + column)) };
            let rounded = |i| {
                let x = load(i);
                if GELU {
                    to_integer(v, gelu_on_grid(v, x, inverse, zero_point))
                } else {
                    round(v, v.mul(x, inverse))
                }
            };
            let quads = v.quads(each!([v.splat_i32(0); 4], |i| rounded(i)));
            // SAFETY: 4 rows of bytes hold `lanes` quads.
            unsafe { v.store_i32(quads, out.add(row * at.lanes + 4 * (at.column + column)).cast()) }
        }
    }
}

/// See [`crate::Kernels::quantize_tokens`].
#[inline(always)]
pub(crate) fn quantize_tokens<V: Vector>(v: V, operands: QuantizeTokensOperands<'_>) {
    let QuantizeTokensOperands { x, absmax, out, scales, sums, lanes, features, .. } = operands;
    let inverse = scale_lanes::<V, false>(v, absmax, scales);
    for_columns!(V, lanes.get(), 1, |column, _K| {
        let at = Columns { rows: features.get(), lanes: lanes.get(), column };
        // SAFETY: `x` has `features` rows of `lanes` elements, `inverse` and `sums` one, `out` `lanes` rows of
        // `features` bytes.
        unsafe {
            tokens_columns(v, x.as_ptr(), inverse.as_ptr(), at, out.as_mut_ptr(), sums.as_mut_ptr());
        }
    });
    // The features that do not fill a block of 16 bytes; skipping to them costs time even where there are none.
    let features = features.get();
    if features.is_multiple_of(16) {
        return;
    }
    for (lane, ((out, sum), scale)) in out.chunks_exact_mut(features).zip(sums).zip(inverse).enumerate() {
        let column = x.iter().skip(lane).step_by(lanes.get());
        for (out, &x) in out.iter_mut().zip(column).skip(features / 16 * 16) {
            *out = math::round_to_i8(x * scale);
            *sum += i32::from(*out);
        }
    }
}

/// # Safety
/// `x` must be valid for the rows, `inverse` and `sums` for one row, at one vector from the column on; `out` for
/// that many rows of `at.rows` bytes.
#[inline(always)]
unsafe fn tokens_columns<V: Vector>(
    v: V,
    x: *const f32,
    inverse: *const f32,
    at: Columns,
    out: *mut i8,
    sums: *mut i32,
) {
    let (features, whole) = (at.rows, at.rows / 16 * 16);
    // SAFETY: the vector at the column.
    let inverse = unsafe { v.load(inverse.add(at.column)) };
    let mut sum = v.splat_i32(bias(whole).wrapping_neg());
    for first in (0..whole).step_by(16) {
        let quads = each!([v.splat_i32(0); 4], |i| {
            let rounded = each!([v.splat_i32(0); 4], |j| {
                // SAFETY: the vector at the column; the row is below `whole`.
                round(v, v.mul(unsafe { v.load(x.add(at.at(first + 4 * i + j))) }, inverse))
            });
            for q in rounded {
                sum = v.add_i32(sum, q);
            }
            v.quads(rounded)
        });
        for (i, rows) in v.transpose4(quads).into_iter().enumerate() {
            // SAFETY: block `b` goes to the row of token `column + 4b + i`, bytes `first .. first + 16`.
            unsafe { v.store_blocks(rows, out.add((at.column + i) * features + first), 4 * features) }
        }
    }
    // SAFETY: the vector at the column.
    unsafe { v.store_i32(sum, sums.add(at.column)) }
}
