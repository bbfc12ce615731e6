//! Softmax over keys.

use super::{Columns, Vector, each, for_columns};
use crate::ShapeError;
use crate::math;
use crate::scalar::attention::check_softmax;

/// See [`crate::Kernels::softmax`].
#[inline(always)]
pub(crate) fn softmax<V: Vector>(
    v: V,
    scores: &[f32],
    out: &mut [u8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_softmax(scores, out, scales)?;
    let rows = scores.len() / lanes;
    for_columns!(V, lanes, 2, |column, K| {
        let at = Columns { rows, lanes, column };
        // SAFETY: `scores` has `rows` rows of `lanes` elements, `scales` one, and `out` has `lanes` quads for each
        // four rows.
        unsafe { columns::<V, K>(v, scores.as_ptr(), at, out.as_mut_ptr(), scales.as_mut_ptr()) }
    });
    Ok(())
}

/// # Safety
/// `scores` must be valid for the rows and `scales` for one row, `K` vectors from the column on, and `out` for a
/// row of `lanes` quads for each four rows.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize>(
    v: V,
    scores: *const f32,
    at: Columns,
    out: *mut u8,
    scales: *mut f32,
) {
    // SAFETY: vector `k` of the group of columns, for each row.
    let load = |row, k| unsafe { v.load(scores.add(at.at(row) + k * V::LANES)) };
    let mut most = [v.splat(f32::NEG_INFINITY); K];
    for row in 0..at.rows {
        most = each!(most, |k| v.max(load(row, k), most[k]));
    }
    let mut sums = [v.splat_i32(0); K];
    let whole = at.rows / 4 * 4;
    // SAFETY: 4 rows of bytes hold `lanes` quads; vector `k` of the group of columns.
    let store = |row, k, quads| unsafe {
        v.store_i32(quads, out.add(row * at.lanes + 4 * (at.column + k * V::LANES)).cast())
    };
    for row in (0..whole).step_by(4) {
        for k in 0..K {
            let weights = each!([sums[k]; 4], |i| exp2_u8(v, v.sub(load(row + i, k), most[k])));
            for weight in weights {
                sums[k] = v.add_i32(sums[k], weight);
            }
            store(row, k, join(v, weights));
        }
    }
    let rest = at.rows - whole;
    if rest > 0 {
        for k in 0..K {
            let weights = each!([v.splat_i32(ROUND); 4], |i| {
                if i < rest { exp2_u8(v, v.sub(load(whole + i, k), most[k])) } else { v.splat_i32(ROUND) }
            });
            for weight in weights {
                sums[k] = v.add_i32(sums[k], weight);
            }
            store(whole, k, join(v, weights));
        }
    }
    let bias = ROUND.wrapping_mul(at.rows.next_multiple_of(4) as i32).wrapping_neg();
    for (k, sum) in sums.into_iter().enumerate() {
        let sum = v.to_f32(v.add_i32(sum, v.splat_i32(bias)));
        let inverse = v.select_less(v.splat(0.0), sum, v.div(v.splat(1.0), sum), v.splat(0.0));
        // SAFETY: vector `k` of the group of columns.
        unsafe { v.store(inverse, scales.add(at.column + k * V::LANES)) }
    }
}

/// The bits of [`math::ROUND`]: what [`exp2_u8`] adds to the integer.
const ROUND: i32 = math::ROUND.to_bits() as i32;

/// [`math::exp2_u8`] plus [`ROUND`].
#[inline(always)]
fn exp2_u8<V: Vector>(v: V, t: V::F32) -> V::I32 {
    let t = v.max(t, v.splat(math::EXP2_U8_MIN));
    let rounded = v.add(t, v.splat(math::ROUND));
    let f = v.sub(t, v.sub(rounded, v.splat(math::ROUND)));
    let power = v.shl::<23>(v.to_bits(rounded));
    let scaled = v.with_bits(v.add_i32(v.to_bits(v.horner(&math::EXP2_U8, f)), power));
    v.to_bits(v.add(scaled, v.splat(math::ROUND)))
}

/// [`Vector::quads`] for what [`exp2_u8`] returns: 0..=255 plus [`ROUND`], so that shifts and sums do without masks.
#[inline(always)]
fn join<V: Vector>(v: V, [a, b, c, d]: [V::I32; 4]) -> V::I32 {
    const BIAS: i32 = ROUND.wrapping_mul(0x0101_0101).wrapping_neg();
    let low = v.add_i32(v.add_i32(a, v.splat_i32(BIAS)), v.shl::<8>(b));
    v.add_i32(low, v.add_i32(v.shl::<16>(c), v.shl::<24>(d)))
}
