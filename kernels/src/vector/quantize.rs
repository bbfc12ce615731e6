//! Per-token symmetric int8.

use super::{Columns, Vector, each, for_columns};
use crate::layout::TILE;
use crate::math;
use crate::scalar::quantize::{SMALLEST_ABSMAX, check_quantize, inverse_scale};
use crate::scalar::{check_lanes, ensure};
use crate::{ShapeError, scalar};

/// See [`crate::Kernels::absmax`].
#[inline(always)]
pub(crate) fn absmax<V: Vector>(v: V, x: &[f32], absmax: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_lanes(absmax.len())?;
    ensure(x.len().is_multiple_of(lanes))?;
    let rows = x.len() / lanes;
    for_columns!(V, lanes, 4, |column, K| {
        // SAFETY: `x` has `rows` rows of `lanes` elements and `absmax` one; `for_columns` keeps the columns inside.
        unsafe { absmax_columns::<V, K>(v, x.as_ptr(), Columns { rows, lanes, column }, absmax.as_mut_ptr()) }
    });
    Ok(())
}

/// # Safety
/// `x` must be valid for the rows and `absmax` for one row, `K` vectors from the column on.
#[inline(always)]
unsafe fn absmax_columns<V: Vector, const K: usize>(v: V, x: *const f32, at: Columns, absmax: *mut f32) {
    let mut most = [v.splat(0.0); K];
    for row in 0..at.rows {
        for (k, most) in most.iter_mut().enumerate() {
            // SAFETY: vector `k` of the group of columns.
            let x = unsafe { v.load(x.add(at.at(row) + k * V::LANES)) };
            *most = v.max(v.abs(x), *most);
        }
    }
    for (k, most) in most.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { v.store(most, absmax.add(at.column + k * V::LANES)) }
    }
}

/// Fills `scales` and returns the inverse scales of the lanes.
#[inline(always)]
fn scale_lanes<V: Vector>(v: V, absmax: &[f32], scales: &mut [f32]) -> [f32; TILE] {
    let mut inverse = [0f32; TILE];
    let chunks = absmax.chunks_exact(V::LANES).zip(scales.chunks_exact_mut(V::LANES));
    for ((absmax, scales), inverse) in chunks.zip(inverse.chunks_exact_mut(V::LANES)) {
        // SAFETY: each chunk has `LANES` elements.
        unsafe {
            let absmax = v.load(absmax.as_ptr());
            let (zero, most) = (v.splat(0.0), v.splat(f32::INFINITY));
            let legal = |x| {
                let finite = v.select_less(absmax, most, x, zero);
                v.select_less(v.splat(SMALLEST_ABSMAX), absmax, finite, zero)
            };
            v.store(legal(v.div(v.splat(127.0), absmax)), inverse.as_mut_ptr());
            v.store(legal(v.mul(absmax, v.splat(1.0 / 127.0))), scales.as_mut_ptr());
        }
    }
    inverse
}

/// [`math::round_to_i8`], in the low byte; the lane is the integer plus the bits of [`math::ROUND`].
#[inline(always)]
fn round<V: Vector>(v: V, x: V::F32) -> V::I32 {
    let clamped = v.min(v.max(x, v.splat(-127.0)), v.splat(127.0));
    v.to_bits(v.add(clamped, v.splat(math::ROUND)))
}

/// What [`round`] adds to the integers, `count` times.
fn bias(count: usize) -> i32 {
    (math::ROUND.to_bits() as i32).wrapping_mul(count as i32)
}

/// See [`crate::Kernels::quantize_rows`].
#[inline(always)]
pub(crate) fn quantize_rows<V: Vector>(
    v: V,
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_quantize(x, absmax, out, scales)?;
    let inverse = scale_lanes(v, absmax, scales);
    let rows = x.len() / lanes;
    for_columns!(V, lanes, 4, |column, K| {
        let at = Columns { rows, lanes, column };
        // SAFETY: `x` and `out` have `rows` rows of `lanes` elements, `inverse` one.
        unsafe { rows_columns::<V, K>(v, x.as_ptr(), inverse.as_ptr(), at, out.as_mut_ptr()) }
    });
    Ok(())
}

/// # Safety
/// `x` and `out` must be valid for the rows and `inverse` for one row, `K` vectors from the column on.
#[inline(always)]
unsafe fn rows_columns<V: Vector, const K: usize>(
    v: V,
    x: *const f32,
    inverse: *const f32,
    at: Columns,
    out: *mut i8,
) {
    // SAFETY: vector `k` of the group of columns.
    let inverse = each!([v.splat(0.0); K], |k| unsafe { v.load(inverse.add(at.column + k * V::LANES)) });
    for row in 0..at.rows {
        let start = at.at(row);
        let quantized = each!([v.splat_i32(0); K], |k| {
            // SAFETY: as above.
            round(v, v.mul(unsafe { v.load(x.add(start + k * V::LANES)) }, inverse[k]))
        });
        if let Some(&four) = quantized.as_slice().as_array() {
            // SAFETY: as above, all four at once.
            unsafe { v.store_bytes4(four, out.add(start)) }
        } else {
            for (k, q) in quantized.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { v.store_bytes(q, out.add(start + k * V::LANES)) }
            }
        }
    }
}

/// See [`crate::Kernels::quantize_quads`].
#[inline(always)]
pub(crate) fn quantize_quads<V: Vector>(
    v: V,
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_quantize(x, absmax, out, scales)?;
    ensure(x.len().is_multiple_of(4 * lanes))?;
    let inverse = scale_lanes(v, absmax, scales);
    let rows = x.len() / lanes;
    for_columns!(V, lanes, 4, |column, K| {
        let at = Columns { rows, lanes, column };
        // SAFETY: `x` and `out` have `rows` rows of `lanes` elements, a multiple of 4 rows; `inverse` has one.
        unsafe { quads_columns::<V, K>(v, x.as_ptr(), inverse.as_ptr(), at, out.as_mut_ptr()) }
    });
    Ok(())
}

/// # Safety
/// As [`rows_columns`], with a multiple of 4 rows.
#[inline(always)]
unsafe fn quads_columns<V: Vector, const K: usize>(
    v: V,
    x: *const f32,
    inverse: *const f32,
    at: Columns,
    out: *mut i8,
) {
    // SAFETY: vector `k` of the group of columns.
    let inverse = each!([v.splat(0.0); K], |k| unsafe { v.load(inverse.add(at.column + k * V::LANES)) });
    for row in (0..at.rows).step_by(4) {
        for (k, &inverse) in inverse.iter().enumerate() {
            let column = k * V::LANES;
            // SAFETY: as above; four rows from `row` on.
            let load = |i| unsafe { v.load(x.add(at.at(row + i) + column)) };
            let quads = v.quads(each!([v.splat_i32(0); 4], |i| round(v, v.mul(load(i), inverse))));
            // SAFETY: 4 rows of bytes hold `lanes` quads.
            unsafe { v.store_i32(quads, out.add(row * at.lanes + 4 * (at.column + column)).cast()) }
        }
    }
}

/// See [`crate::Kernels::quantize_tokens`].
#[inline(always)]
pub(crate) fn quantize_tokens<V: Vector>(
    v: V,
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i32],
) -> Result<(), ShapeError> {
    let lanes = check_quantize(x, absmax, out, scales)?;
    let features = x.len() / lanes;
    ensure(sums.len() == lanes && features > 0)?;
    let inverse = scale_lanes(v, absmax, scales);
    for_columns!(V, lanes, 1, |column, _K| {
        let at = Columns { rows: features, lanes, column };
        // SAFETY: `x` has `features` rows of `lanes` elements, `inverse` and `sums` one, `out` `lanes` rows of
        // `features` bytes.
        unsafe {
            tokens_columns(v, x.as_ptr(), inverse.as_ptr(), at, out.as_mut_ptr(), sums.as_mut_ptr());
        }
    });
    // The features that do not fill a block of 16 bytes; skipping to them costs time even where there are none.
    if features.is_multiple_of(16) {
        return Ok(());
    }
    for (lane, (out, sum)) in out.chunks_exact_mut(features).zip(sums).enumerate() {
        let scale = inverse.get(lane).copied().unwrap_or(0.0);
        let column = x.iter().skip(lane).step_by(lanes);
        for (out, &x) in out.iter_mut().zip(column).skip(features / 16 * 16) {
            *out = math::round_to_i8(x * scale);
            *sum += i32::from(*out);
        }
    }
    Ok(())
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

/// See [`crate::Kernels::row_absmax`]. The order of a maximum does not matter, and what is not a number loses.
#[inline(always)]
pub(crate) fn row_absmax<V: Vector>(v: V, x: &[f32]) -> f32 {
    let mut most = [v.splat(0.0); 4];
    let mut groups = x.chunks_exact(4 * V::LANES);
    for group in &mut groups {
        for (k, most) in most.iter_mut().enumerate() {
            // SAFETY: a group holds 4 vectors.
            *most = v.max(v.abs(unsafe { v.load(group.as_ptr().add(k * V::LANES)) }), *most);
        }
    }
    let [a, b, c, d] = most;
    let mut lanes = [0f32; 16];
    // SAFETY: the array has 16 ≥ `LANES` elements.
    unsafe { v.store(v.max(v.max(a, b), v.max(c, d)), lanes.as_mut_ptr()) }
    // Halves against each other: four steps instead of a chain of sixteen.
    let mut half = lanes.len() / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = math::max(*high, *low));
        half /= 2;
    }
    math::max(lanes[0], scalar::row_absmax(groups.remainder()))
}

/// See [`crate::Kernels::quantize_row`].
#[inline(always)]
pub(crate) fn quantize_row<V: Vector>(
    v: V,
    x: &[f32],
    absmax: f32,
    out: &mut [i8],
) -> Result<i32, ShapeError> {
    ensure(x.len() == out.len())?;
    let inverse = v.splat(inverse_scale(absmax));
    let mut sums = v.splat_i32(0);
    let (mut from, mut to) = (x.chunks_exact(4 * V::LANES), out.chunks_exact_mut(4 * V::LANES));
    for (x, out) in (&mut from).zip(&mut to) {
        let quantized = each!([v.splat_i32(0); 4], |k| {
            // SAFETY: a group holds 4 vectors.
            round(v, v.mul(unsafe { v.load(x.as_ptr().add(k * V::LANES)) }, inverse))
        });
        for q in quantized {
            sums = v.add_i32(sums, q);
        }
        // SAFETY: as above.
        unsafe { v.store_bytes4(quantized, out.as_mut_ptr()) }
    }
    let mut lanes = [0i32; 16];
    // SAFETY: the array has 16 ≥ `LANES` elements.
    unsafe { v.store_i32(sums, lanes.as_mut_ptr()) }
    let whole = x.len() - from.remainder().len();
    let sum = lanes.into_iter().fold(bias(whole).wrapping_neg(), i32::wrapping_add);
    let rest = scalar::quantize_row(from.remainder(), absmax, to.into_remainder())?;
    Ok(sum.wrapping_add(rest))
}
