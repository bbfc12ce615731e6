//! Rows of activations in the form that the output-block product reads without rearranging anything.
//!
//! Bytes are biased by 128. The product interleaves four rows by unpacking, which works inside blocks of 128 bits; the
//! order of a row is such that its results come out in the order of the lanes: of 64 lanes, group j of four in block b
//! holds lanes 16j + 4b .. 16j + 4b + 4. Rows of 32 lanes are the same with halves of vectors: there group j in block c
//! holds those from 4c, 16 + 4c, 8 + 4c and 24 + 4c on. Rows of 16 lanes are in order. Those of 48 are the first of 64, so
//! that the last vector of the product's results is one without a lane.

use crate::operands::ArrangeRowsOperands;

/// Groups of four lanes, in the order of a row.
const GROUPS_OF_64: [u8; 16] = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];
/// The same for 32 lanes.
const GROUPS_OF_32: [u8; 8] = [0, 4, 2, 6, 1, 5, 3, 7];

/// See [`crate::Kernels::arrange_rows`]. Both orders are their own inverses.
pub(super) fn arrange(operands: ArrangeRowsOperands<'_>) {
    let ArrangeRowsOperands { lanes, rows, .. } = operands;
    let groups: &[u8] = match lanes.of_row() {
        64 => &GROUPS_OF_64,
        32 => &GROUPS_OF_32,
        _ => &[0, 1, 2, 3],
    };
    for row in rows.chunks_exact_mut(4 * groups.len()) {
        let row = row.as_chunks_mut::<4>().0;
        for (place, &group) in groups.iter().enumerate() {
            if place < usize::from(group) {
                row.swap(place, usize::from(group));
            }
        }
        row.as_flattened_mut().iter_mut().for_each(|byte| *byte ^= i8::MIN);
    }
}
