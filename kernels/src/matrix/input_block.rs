//! Blocks of 1 output × 4 inputs, in panels of columns.

use super::section::{Arrays, MatrixError, Shape, accessors};

/// A validated input-block matrix.
///
/// Invariant, established by [`super::PackedMatrix::validate`] (or promised by [`crate::Trusted`]) and trusted by the kernels: `pointers` has
/// `panels · rows + 1` monotone entries from 0 to the number of blocks, there is one index and there are 4 weights
/// per block, and every index is below the number of blocks that its panel is wide; `scales`, `bias` and `row_sums` have
/// `rows` entries.
#[derive(Clone, Copy, Debug)]
pub struct InputBlock<'a> {
    pub(super) shape: Shape,
    arrays: Arrays<'a>,
}

impl<'a> InputBlock<'a> {
    accessors!(
        "`[panels · rows + 1]`, in blocks.",
        indices: "`[blocks]`: places in the panel, columns divided by 4.",
        "`[blocks][4]`."
    );

    pub(super) fn from_checked(shape: Shape, arrays: Arrays<'a>) -> Self {
        Self { shape, arrays }
    }

    pub(super) fn check(shape: &Shape, arrays: &Arrays<'_>) -> Result<(), MatrixError> {
        let matrix = InputBlock { shape: *shape, arrays: *arrays };
        for panel in 0..matrix.panels() {
            let width = shape.panel_cols.min(shape.cols.saturating_sub(panel * shape.panel_cols)) / 4;
            let (begin, end) = (matrix.pointer(panel * shape.rows), matrix.pointer((panel + 1) * shape.rows));
            let indices = arrays.indices.get(begin..end).ok_or(MatrixError("pointers leave the indices"))?;
            if !indices.iter().all(|&index| usize::from(index) < width) {
                return Err(MatrixError("a column index lies outside its panel"));
            }
        }
        for (row, &sum) in arrays.row_sums.iter().enumerate() {
            // So many hold every column once; with more, an accumulator could overflow.
            let places = (0..matrix.panels()).map(|panel| panel * shape.rows + row);
            let blocks = places.map(|at| matrix.pointer(at + 1).saturating_sub(matrix.pointer(at)));
            if blocks.sum::<usize>() > shape.cols / 4 {
                return Err(MatrixError("a row has more blocks than the matrix has columns for"));
            }
            let weights =
                (0..matrix.panels()).flat_map(|panel| matrix.blocks(panel, row)).flat_map(|(_, w)| w);
            if weights.map(|&w| i32::from(w)).sum::<i32>() != sum {
                return Err(MatrixError("a row sum differs from its weights"));
            }
        }
        Ok(())
    }

    fn pointer(&self, i: usize) -> usize {
        self.arrays.pointers.get(i).map_or(0, |&p| p as usize)
    }

    /// Panels of columns.
    pub fn panels(&self) -> usize {
        self.shape.panels()
    }

    /// Columns of a panel; the last may have fewer.
    pub fn panel_cols(&self) -> usize {
        self.shape.panel_cols
    }

    /// Blocks in all rows.
    pub fn block_count(&self) -> usize {
        self.shape.groups
    }

    /// The blocks of a row inside a panel: the index (columns divided by 4) and 4 weights each.
    pub fn blocks(&self, panel: usize, row: usize) -> impl Iterator<Item = (usize, &'a [i8])> + use<'a> {
        let at = panel * self.shape.rows + row;
        let (begin, end) = (self.pointer(at), self.pointer(at + 1));
        let indices = self.arrays.indices.get(begin..end).unwrap_or(&[]);
        let weights = self.arrays.weights.get(4 * begin..4 * end).unwrap_or(&[]);
        let first = panel * self.shape.panel_cols / 4;
        indices.iter().map(move |&index| first + usize::from(index)).zip(weights.chunks_exact(4))
    }
}
