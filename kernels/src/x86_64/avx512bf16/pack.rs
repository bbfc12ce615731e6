//! Rounding matrices to bf16 and bringing their pairs in order.

use core::arch::x86_64::*;
use core::ops::Range;

use super::STRIP_ROWS;
use super::vector::{interleave, load_part, round, store_halves, transpose};
use crate::dense_bf16::{Matrix, PANEL_COLUMNS};

/// How many pairs before its use a column is fetched: columns are far from each other, so the processor does not see where
/// the next one is.
const PAIRS_AHEAD: usize = 8;

/// Where the pairs of 16 rows go: those of rows 0 to 7 of group `g` and pair `p` from `g · group + p · pair` on, those of
/// rows 8 to 15 `half` later.
#[derive(Clone, Copy)]
pub(super) struct Places {
    group: usize,
    half: usize,
    pair: usize,
}

impl Places {
    /// A panel: all rows of a pair side by side.
    pub(super) const PANEL: Places = Places { group: 16, half: 8, pair: PANEL_COLUMNS };

    /// Strips of 8 rows with so many pairs.
    pub(super) const fn strips(pairs: usize) -> Self {
        Places { group: 2 * STRIP_ROWS * pairs, half: STRIP_ROWS * pairs, pair: STRIP_ROWS }
    }

    /// Puts the pairs of 16 rows to their places.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn put(self, group: usize, pair: usize, pairs: __m512i, out: &mut [u32]) {
        let out = &mut out[group * self.group + pair * self.pair..];
        let (before, after) = out.split_at_mut(self.half);
        if let (Some(low), Some(high)) = (before.first_chunk_mut(), after.first_chunk_mut()) {
            store_halves(low, high, pairs);
        }
    }
}

/// Rounds some pairs of all rows. Rows that a group lacks become 0, groups that the matrix lacks stay as they are.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn pack(matrix: Matrix<'_>, pairs: Range<usize>, places: Places, out: &mut [u32]) {
    let [rows, columns] = matrix.shape();
    let (first, pairs) = (pairs.start, pairs.len());
    let groups = rows.div_ceil(16);
    if !matrix.has_unit_column_stride() {
        for pair in 0..pairs {
            let column = 2 * (first + pair);
            for group in 0..groups {
                let (row, len) = (16 * group, 16.min(rows - 16 * group));
                matrix.prefetch(row, column + 2 * PAIRS_AHEAD);
                matrix.prefetch(row, column + 2 * PAIRS_AHEAD + 1);
                let low = load_part(matrix.part_of_column(row, column, len));
                let mut high = _mm512_setzero_ps();
                if column + 1 < columns {
                    high = load_part(matrix.part_of_column(row, column + 1, len));
                }
                places.put(group, pair, interleave(round(low, high)), out);
            }
        }
        return;
    }
    for group in 0..groups {
        for start in (0..pairs).step_by(16) {
            let column = 2 * (first + start);
            let len = 32.min(columns - column);
            let mut vectors = [_mm512_setzero_si512(); 16];
            for (row, vector) in (16 * group..rows).zip(&mut vectors) {
                matrix.prefetch(row, column + 64);
                matrix.prefetch(row, column + 80);
                let values = matrix.part_of_row(row, column, len);
                let (low, high) = values.split_at(len.min(16));
                *vector = round(load_part(low), load_part(high));
            }
            let vectors = transpose(vectors);
            for (pair, vector) in (start..pairs.min(start + 16)).zip(vectors) {
                places.put(group, pair, vector, out);
            }
        }
    }
}
