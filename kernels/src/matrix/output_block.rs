//! Blocks of 4 outputs × 1 input, fused to tiles of 4 × 4.

use super::section::{Arrays, MatrixError, Shape, accessors};

/// A validated output-block matrix.
///
/// Invariant, established by [`super::PackedMatrix::validate`] (or promised by [`crate::Trusted`]) and trusted by the kernels: `pointers` has
/// `rows / 4 + 1` monotone entries from 0 to the number of tiles, `indices` holds 4 and `weights` 16 entries per
/// tile, and the sum of a strip's indices, its last column, is below `cols`; `scales`, `bias` and `row_sums` have `rows` entries.
#[derive(Clone, Copy, Debug)]
pub struct OutputBlock<'a> {
    pub(super) shape: Shape,
    arrays: Arrays<'a>,
}

impl<'a> OutputBlock<'a> {
    accessors!(
        "`[rows / 4 + 1]`, in tiles.",
        deltas: "`[tiles][4]`: the distance of each column of a strip to the one before, of the first to column 0.",
        "`[tiles][4 outputs][4 inputs]`."
    );

    pub(super) fn from_checked(shape: Shape, arrays: Arrays<'a>) -> Self {
        Self { shape, arrays }
    }

    pub(super) fn check(shape: &Shape, arrays: &Arrays<'_>) -> Result<(), MatrixError> {
        let strips = arrays.pointers.iter().zip(arrays.pointers.iter().skip(1));
        for ((&begin, &end), sums) in strips.zip(arrays.row_sums.chunks_exact(4)) {
            let (begin, end) = (begin as usize, end as usize);
            let arrays = arrays.indices.get(4 * begin..4 * end).zip(arrays.weights.get(16 * begin..16 * end));
            let (deltas, tiles) = arrays.ok_or(MatrixError("pointers leave the weights"))?;
            // So many hold every column once; with more, an accumulator could overflow.
            if tiles.len() / 16 > shape.cols / 4 {
                return Err(MatrixError("a strip has more columns than the matrix"));
            }
            // Distances are not negative, so the last column is the largest.
            if deltas.iter().map(|&delta| usize::from(delta)).sum::<usize>() >= shape.cols {
                return Err(MatrixError("a column is not below the number of columns"));
            }
            let mut got = [0i32; 4];
            for tile in tiles.chunks_exact(16) {
                for (got, row) in got.iter_mut().zip(tile.chunks_exact(4)) {
                    *got += row.iter().map(|&w| i32::from(w)).sum::<i32>();
                }
            }
            if got != sums {
                return Err(MatrixError("a row sum differs from its weights"));
            }
        }
        Ok(())
    }

    /// Tiles of 4 outputs × 4 gathered inputs in all strips.
    pub fn tile_count(&self) -> usize {
        self.shape.groups
    }

    /// The tiles of a strip: 4 columns and 16 weights each.
    pub fn tiles(&self, strip: usize) -> impl Iterator<Item = ([usize; 4], &'a [i8])> + use<'a> {
        let pointer = |i: usize| self.arrays.pointers.get(i).map_or(0, |&p| p as usize);
        let (begin, end) = (pointer(strip), pointer(strip + 1));
        let deltas = self.arrays.indices.get(4 * begin..4 * end).unwrap_or(&[]).as_chunks().0;
        let weights = self.arrays.weights.get(16 * begin..16 * end).unwrap_or(&[]);
        let columns = deltas.iter().scan(0, |column, tile: &[u8; 4]| {
            Some(tile.map(|delta| {
                *column += usize::from(delta);
                *column
            }))
        });
        columns.zip(weights.chunks_exact(16))
    }
}
