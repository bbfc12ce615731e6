//! Block-sparse int8 matrices in their packed form, used in place.
//!
//! A weight matrix is `[rows = outputs][cols = inputs]`, int8 in [−127, 127] with one scale per row. Two patterns
//! of 1×4 blocks exist: [`OutputBlock`] (4 consecutive rows of one column) and [`InputBlock`] (4 consecutive
//! columns of one row). [`PackedMatrix::validate`] checks every byte that a kernel later trusts; what it returns
//! can be viewed as often as needed at no cost. [`PackedMatrix::trust`] takes the caller's word instead.
//!
//! # Layout of a packed matrix
//!
//! Little-endian, every array starts at a multiple of 64 bytes from the start, gaps are zero:
//!
//! | array | type | length |
//! |---|---|---|
//! | header | `u32` | 16: pattern (1 output-block, 2 input-block), rows, cols, panel_cols, groups, kept_blocks, then 0 |
//! | scales | `f32` | rows |
//! | bias | `f32` | rows |
//! | row_sums | `i32` | rows: the sum of the row's weights |
//! | pointers | `u32` | output-block: rows / 4 + 1; input-block: panels · rows + 1 |
//! | indices | `u8` | output-block: 4 per group; input-block: 1 per group |
//! | weights | `i8` | output-block: 16 per group; input-block: 4 per group |
//!
//! Output-block: a *group* is a tile of 4 columns of one strip of 4 rows; group `g` of strip `s` lies in
//! `pointers[s] .. pointers[s + 1]`. A strip's columns ascend, and `indices` holds the distance of each to the one
//! before, of the first to column 0: column `c` of tile `g` is the sum of the strip's indices up to `indices[4g + c]`.
//! Its weight for row `4s + r` is `weights[16g + 4r + c]`. Columns more than 255 apart have one with zero weights
//! between them, and a strip's last tile is filled up with zero weights at its last column.
//!
//! Input-block: a group is one block; the columns are cut into panels of `panel_cols`, at most 1024, and the blocks
//! of row `r` in panel `p` are `pointers[p · rows + r] ..` the next pointer; block `g` covers columns
//! `p · panel_cols + 4 · indices[g] ..` and its weights are `weights[4g ..][.. 4]`.

mod input_block;
mod output_block;
#[cfg(feature = "alloc")]
mod pack;
mod section;

pub use input_block::InputBlock;
pub use output_block::OutputBlock;
#[cfg(feature = "alloc")]
pub use pack::{pack_input_block, pack_output_block};
pub use section::{HEADER_LEN, MAX_DIM, MAX_PANEL_COLS, MatrixError, PackedMatrix, Pattern};

/// A packed matrix, ready for its kernel.
#[derive(Clone, Copy, Debug)]
pub enum Matrix<'a> {
    /// Blocks of 4 outputs.
    OutputBlock(OutputBlock<'a>),
    /// Blocks of 4 inputs.
    InputBlock(InputBlock<'a>),
}
