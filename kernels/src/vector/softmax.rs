//! Softmax over keys.

use super::{Vector, each};
use crate::layout::score_lanes;
use crate::math::DITHER;
use crate::operands::SoftmaxOperands;

/// See [`crate::Kernels::softmax`].
#[inline(always)]
pub(crate) fn softmax<V: Vector>(v: V, operands: SoftmaxOperands<'_>) {
    let SoftmaxOperands { scores, max, out, scales, lanes, .. } = operands;
    let keys = scores.len() / lanes.of_scores();
    let (lanes, scores, max) = (lanes.get(), scores.as_ptr(), max.as_ptr());
    let mut at = KeyColumns { keys, lanes, column: 0 };
    while at.column < lanes {
        // SAFETY: there are `keys` rows of scores, of `score_lanes(lanes)` elements, and the quads; the groups below stay
        // inside the lanes, but for a pair of vectors of which the first has all of them.
        unsafe {
            if at.column + 4 * V::LANES <= lanes {
                columns::<V, 2>(v, scores, max, at, out.as_mut_ptr(), scales.as_mut_ptr());
                at.column += 4 * V::LANES;
            } else {
                columns::<V, 1>(v, scores, max, at, out.as_mut_ptr(), scales.as_mut_ptr());
                at.column += 2 * V::LANES;
            }
        }
    }
}

/// Where a group of lanes lies.
#[derive(Clone, Copy)]
struct KeyColumns {
    keys: usize,
    lanes: usize,
    column: usize,
}

/// `K` vectors of 16-bit lanes.
///
/// # Safety
/// `scores` must be valid for a row of [`score_lanes`] elements for each key, `max` for one, each of them for `K`
/// vectors of 16-bit lanes from the column on; `out` for a row of `lanes` quads for each four keys, `scales` for
/// `lanes`. The column is one of the lanes, and if not all lanes of the vectors are, `K` is 1 and half of them are.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize>(
    v: V,
    scores: *const i16,
    max: *const i16,
    at: KeyColumns,
    out: *mut u8,
    scales: *mut f32,
) {
    let wide = score_lanes(at.lanes);
    let mut sums = [[v.splat_i32(0); 2]; K];
    for key in (0..at.keys).step_by(4) {
        for (k, sums) in sums.iter_mut().enumerate() {
            let column = at.column + 2 * k * V::LANES;
            // SAFETY: the caller's promise; 4 keys' rows of bytes hold `lanes` quads. Of 16 lanes, a vector of 32 has
            // only the first half.
            unsafe {
                let max = v.load_i16(max.add(column));
                let weights = each!([v.splat_i16(0); 4], |i| {
                    if key + i < at.keys {
                        let score = v.load_i16(scores.add((key + i) * wide + column));
                        v.exp2_score(v.sub_i16(max, score), v.splat_i16(DITHER[i] as i16))
                    } else {
                        v.splat_i16(0)
                    }
                });
                let [low, high] = v.quads_i16(weights);
                *sums = [v.add_bytes(sums[0], low), v.add_bytes(sums[1], high)];
                let out = out.add(key * at.lanes + 4 * column).cast::<i32>();
                v.store_i32(low, out);
                if column + V::LANES < at.lanes {
                    v.store_i32(high, out.add(V::LANES));
                }
            }
        }
    }
    for (half, sum) in sums.as_flattened().iter().enumerate() {
        let column = at.column + half * V::LANES;
        if column < at.lanes {
            let sum = v.to_f32(*sum);
            let inverse = v.select_less(v.splat(0.0), sum, v.div(v.splat(1.0), sum), v.splat(0.0));
            // SAFETY: as above.
            unsafe { v.store(inverse, scales.add(column)) }
        }
    }
}
