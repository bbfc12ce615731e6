//! Embeddings: rows of the tables added along features, then transposed so that tokens lie in the lanes.

use super::{Vector, each};
use crate::operands::EmbedOperands;
use crate::scalar::TableRow;

/// Tokens and features that are transposed at a time.
const BLOCK: usize = 16;

/// See [`crate::Kernels::embed`].
#[inline(always)]
pub(crate) fn embed<V: Vector>(v: V, operands: EmbedOperands<'_>) {
    let EmbedOperands { tables, ids, first_position, lanes, out, features, .. } = operands;
    let lanes = lanes.get();
    for first_lane in (0..lanes).step_by(BLOCK) {
        let mut rows = [const { None }; BLOCK];
        let ids = ids.iter().skip(first_lane);
        for ((row, &[word, token_type]), position) in
            rows.iter_mut().zip(ids).zip(first_position.saturating_add(first_lane)..)
        {
            *row = Some([
                TableRow::of(&tables.word, word as usize, features),
                TableRow::of(&tables.token_type, token_type as usize, features),
                TableRow::of(&tables.position, position, features),
            ]);
        }
        let mut sums = [[0f32; BLOCK]; BLOCK];
        for (first, out) in (0..features).step_by(BLOCK).zip(out.chunks_mut(BLOCK * lanes)) {
            for (row, sums) in rows.iter().zip(&mut sums) {
                if let Some(row) = row {
                    sum(v, row, first, sums);
                }
            }
            transpose(v, &sums, lanes, first_lane, out);
        }
    }
}

/// `(word + token_type) + position` for the features from `first` on, as many as there are.
#[inline(always)]
fn sum<V: Vector>(
    v: V,
    [word, token_type, position]: &[TableRow<'_>; 3],
    first: usize,
    sums: &mut [f32; BLOCK],
) {
    if word.len() < first + BLOCK || token_type.len() < first + BLOCK || position.len() < first + BLOCK {
        for (feature, sum) in (first..).zip(sums) {
            *sum = (word.get(feature) + token_type.get(feature)) + position.get(feature);
        }
        return;
    }
    for (sums, feature) in sums.chunks_exact_mut(V::LANES).zip((first..).step_by(V::LANES)) {
        // SAFETY: the rows have at least `first + BLOCK` features, and `BLOCK` is a multiple of `LANES`, as is the
        // length of the chunk.
        unsafe {
            let pair = v.add(load(v, word, feature), load(v, token_type, feature));
            v.store(v.add(pair, load(v, position, feature)), sums.as_mut_ptr());
        }
    }
}

/// A vector of features of one row.
///
/// # Safety
/// The row must have `feature + LANES` features.
#[inline(always)]
unsafe fn load<V: Vector>(v: V, row: &TableRow<'_>, feature: usize) -> V::F32 {
    match *row {
        TableRow::I8(values, scale) => {
            // SAFETY: the caller's promise.
            let values = unsafe { v.load_i8(values.as_ptr().add(feature)) };
            v.mul(v.to_f32(values), v.splat(scale))
        }
        // SAFETY: the caller's promise.
        TableRow::F16(values) => unsafe { v.load_f16(values.as_ptr().add(feature)) },
    }
}

/// Writes `sums[token][feature]` to `out[feature][lane]`, from lane `first_lane` on.
#[inline(always)]
fn transpose<V: Vector>(
    v: V,
    sums: &[[f32; BLOCK]; BLOCK],
    lanes: usize,
    first_lane: usize,
    out: &mut [f32],
) {
    for (four, out) in (0..BLOCK).step_by(4).zip(out.chunks_mut(4 * lanes)) {
        for token in (0..BLOCK).step_by(V::LANES) {
            let columns = each!([v.splat_i32(0); 4], |i| {
                let from = sums.as_flattened().as_ptr();
                // SAFETY: block `b` is features `four .. four + 4` of token `token + i + 4b`, below `BLOCK`.
                v.to_bits(unsafe { v.load_blocks(from.add((token + i) * BLOCK + four), 4 * BLOCK) })
            });
            for (row, out) in v.transpose4(columns).into_iter().zip(out.chunks_exact_mut(lanes)) {
                // SAFETY: `out` is a row of `lanes` elements and `first_lane + BLOCK` ≤ `lanes`.
                unsafe { v.store(v.with_bits(row), out.as_mut_ptr().add(first_lane + token)) }
            }
        }
    }
}
