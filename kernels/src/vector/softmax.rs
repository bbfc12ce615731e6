//! Softmax over keys.

use super::{Vector, each};
use crate::ShapeError;
use crate::layout::score_lanes;
use crate::scalar::attention::check_softmax;

/// See [`crate::Kernels::softmax`].
#[inline(always)]
pub(crate) fn softmax<V: Vector>(
    v: V,
    scores: &[i16],
    most: &[i16],
    out: &mut [u8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_softmax(scores, most, out, scales)?;
    let at = Rows { keys: scores.len() / most.len(), lanes, column: 0 };
    let (mut at, scores, most) = (at, scores.as_ptr(), most.as_ptr());
    while at.column < lanes {
        // SAFETY: `check_softmax` saw the rows of scores, of `score_lanes` elements, and the quads; the groups below
        // stay inside the lanes, but for a pair of vectors of which the first has all of them.
        unsafe {
            if at.column + 4 * V::LANES <= lanes {
                columns::<V, 2>(v, scores, most, at, out.as_mut_ptr(), scales.as_mut_ptr());
                at.column += 4 * V::LANES;
            } else {
                columns::<V, 1>(v, scores, most, at, out.as_mut_ptr(), scales.as_mut_ptr());
                at.column += 2 * V::LANES;
            }
        }
    }
    Ok(())
}

/// Where a group of lanes lies.
#[derive(Clone, Copy)]
struct Rows {
    keys: usize,
    lanes: usize,
    column: usize,
}

/// `K` vectors of 16-bit lanes.
///
/// # Safety
/// `scores` must be valid for a row of [`score_lanes`] elements for each key, `most` for one, each of them for `K`
/// vectors of 16-bit lanes from the column on; `out` for a row of `lanes` quads for each four keys, `scales` for
/// `lanes`. The column is one of the lanes, and if not all lanes of the vectors are, `K` is 1 and half of them are.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize>(
    v: V,
    scores: *const i16,
    most: *const i16,
    at: Rows,
    out: *mut u8,
    scales: *mut f32,
) {
    let wide = score_lanes(at.lanes);
    let column = |k: usize| at.column + 2 * k * V::LANES;
    // Of 16 lanes, a vector of 32 has only the first half.
    let both = |k: usize| column(k) + V::LANES < at.lanes;
    // SAFETY: the caller's promise, for each use below.
    let most = each!([v.splat_i16(0); K], |k| unsafe { v.load_i16(most.add(column(k))) });
    let weights = |key: usize, k: usize| {
        // SAFETY: as above.
        let score = unsafe { v.load_i16(scores.add(key * wide + column(k))) };
        v.exp2_score(v.sub_i16(most[k], score))
    };
    let mut sums = [[v.splat_i32(0); 2]; K];
    let mut put = |key: usize, k: usize, quads: [V::I32; 2]| {
        sums[k] = [v.add_bytes(sums[k][0], quads[0]), v.add_bytes(sums[k][1], quads[1])];
        // SAFETY: 4 keys' rows of bytes hold `lanes` quads.
        unsafe {
            let out = out.add(key * at.lanes + 4 * column(k)).cast::<i32>();
            v.store_i32(quads[0], out);
            if both(k) {
                v.store_i32(quads[1], out.add(V::LANES));
            }
        }
    };
    let whole = at.keys / 4 * 4;
    for key in (0..whole).step_by(4) {
        for k in 0..K {
            put(key, k, v.quads_i16(each!([v.splat_i16(0); 4], |i| weights(key + i, k))));
        }
    }
    let rest = at.keys - whole;
    if rest > 0 {
        for k in 0..K {
            let last =
                each!([v.splat_i16(0); 4], |i| if i < rest { weights(whole + i, k) } else { v.splat_i16(0) });
            put(whole, k, v.quads_i16(last));
        }
    }
    for (k, sums) in sums.into_iter().enumerate() {
        for (half, sum) in sums.into_iter().enumerate() {
            if half == 0 || both(k) {
                let sum = v.to_f32(sum);
                let inverse = v.select_less(v.splat(0.0), sum, v.div(v.splat(1.0), sum), v.splat(0.0));
                // SAFETY: as above.
                unsafe { v.store(inverse, scales.add(column(k) + half * V::LANES)) }
            }
        }
    }
}
