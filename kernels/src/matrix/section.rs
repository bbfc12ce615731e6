//! The packed bytes: header, arrays, validation.

use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use super::{InputBlock, Matrix, OutputBlock};
use crate::Trusted;

/// Bytes of the header.
pub const HEADER_LEN: usize = 64;

/// The most rows or columns: an i32 accumulator then holds 127 · 255 · cols.
pub const MAX_DIM: usize = 65_536;

/// The most columns of an input-block matrix' panel: a byte then names each of its blocks.
pub const MAX_PANEL_COLS: usize = 1024;

/// The shape of the 1×4 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// 4 consecutive outputs × 1 input (what Intel's "1x4" checkpoints hold).
    OutputBlock,
    /// 1 output × 4 consecutive inputs (Neural Magic's "block4", most papers' "1×4").
    InputBlock,
}

impl Pattern {
    /// The number that stands for it in a file.
    pub const fn code(self) -> u32 {
        match self {
            Pattern::OutputBlock => 1,
            Pattern::InputBlock => 2,
        }
    }

    /// The pattern that a number stands for.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Pattern::OutputBlock),
            2 => Some(Pattern::InputBlock),
            _ => None,
        }
    }

    /// `output-block` or `input-block`, as on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Pattern::OutputBlock => "output-block",
            Pattern::InputBlock => "input-block",
        }
    }
}

impl FromStr for Pattern {
    type Err = MatrixError;

    /// Reads a [`name`](Pattern::name).
    fn from_str(name: &str) -> Result<Self, MatrixError> {
        match name {
            "output-block" => Ok(Pattern::OutputBlock),
            "input-block" => Ok(Pattern::InputBlock),
            _ => Err(MatrixError("the pattern is neither output-block nor input-block")),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why bytes are not a packed matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixError(pub &'static str);

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for MatrixError {}

const LENGTH: &str = "length differs from what the header says";

/// The accessors that both patterns share. The arguments document the arrays of blocks.
macro_rules! accessors {
    ($pointers:literal, $indices:ident: $of_indices:literal, $weights:literal) => {
        /// Outputs.
        pub fn rows(&self) -> usize {
            self.shape.rows
        }

        /// Inputs.
        pub fn cols(&self) -> usize {
            self.shape.cols
        }

        /// Scale of a row.
        pub fn scale(&self, row: usize) -> f32 {
            self.arrays.scales.get(row).copied().unwrap_or(0.0)
        }

        /// Bias of a row.
        pub fn bias(&self, row: usize) -> f32 {
            self.arrays.bias.get(row).copied().unwrap_or(0.0)
        }

        /// `[rows]`.
        pub fn scales(&self) -> &'a [f32] {
            self.arrays.scales
        }

        /// `[rows]`.
        pub fn biases(&self) -> &'a [f32] {
            self.arrays.bias
        }

        /// `[rows]`: the sum of each row's weights.
        pub fn row_sums(&self) -> &'a [i32] {
            self.arrays.row_sums
        }

        #[doc = $pointers]
        pub fn pointers(&self) -> &'a [u32] {
            self.arrays.pointers
        }

        #[doc = $of_indices]
        pub fn $indices(&self) -> &'a [u8] {
            self.arrays.indices
        }

        #[doc = $weights]
        pub fn weights(&self) -> &'a [i8] {
            self.arrays.weights
        }
    };
}
pub(super) use accessors;

/// The header's fields and where the arrays lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub pattern: Pattern,
    pub rows: usize,
    pub cols: usize,
    pub panel_cols: usize,
    pub groups: usize,
    pub kept_blocks: usize,
}

/// The arrays of a section, lengths as the header says, contents unchecked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrays<'a> {
    pub scales: &'a [f32],
    pub bias: &'a [f32],
    pub row_sums: &'a [i32],
    pub pointers: &'a [u32],
    pub indices: &'a [u8],
    pub weights: &'a [i8],
}

impl Shape {
    pub fn panels(&self) -> usize {
        self.cols.div_ceil(self.panel_cols.max(1))
    }

    /// Lengths in bytes of the six arrays, in their order.
    pub fn array_bytes(&self) -> [usize; 6] {
        let (pointers, indices, weights) = match self.pattern {
            Pattern::OutputBlock => (self.rows / 4 + 1, 4, 16),
            Pattern::InputBlock => (self.panels() * self.rows + 1, 1, 4),
        };
        [
            4 * self.rows,
            4 * self.rows,
            4 * self.rows,
            4 * pointers,
            indices * self.groups,
            weights * self.groups,
        ]
    }

    fn read(bytes: &[u8]) -> Result<Self, MatrixError> {
        let header: &[u32] = bytes
            .get(..HEADER_LEN)
            .and_then(|header| bytemuck::try_cast_slice(header).ok())
            .ok_or(MatrixError("shorter than its header, or not aligned to 4 bytes"))?;
        let field = |i: usize| header.get(i).copied().unwrap_or(0);
        let pattern = Pattern::from_code(field(0)).ok_or(MatrixError("unknown block pattern"))?;
        let dimension = |i: usize| {
            Some(field(i) as usize)
                .filter(|&n| n > 0 && n <= MAX_DIM && n.is_multiple_of(4))
                .ok_or(MatrixError("rows, cols and panel_cols must be multiples of 4 up to 65536"))
        };
        let (rows, cols, panel_cols) = (dimension(1)?, dimension(2)?, dimension(3)?);
        if pattern == Pattern::InputBlock && panel_cols > MAX_PANEL_COLS {
            return Err(MatrixError("panel_cols of an input-block matrix must be at most 1024"));
        }
        if pattern == Pattern::OutputBlock && panel_cols != cols {
            return Err(MatrixError("panel_cols of an output-block matrix must equal cols"));
        }
        let (groups, kept_blocks) = (field(4) as usize, field(5) as usize);
        let room = rows as u64 * cols as u64 / 4;
        let blocks_per_group = if pattern == Pattern::OutputBlock { 4 } else { 1 };
        if groups as u64 > room {
            return Err(MatrixError("more blocks than the matrix has room for"));
        }
        if kept_blocks as u64 > blocks_per_group * groups as u64 {
            return Err(MatrixError("kept_blocks is more than the section holds"));
        }
        // So that no length in bytes overflows, on 32-bit machines either.
        let pointers = cols.div_ceil(panel_cols) as u64 * rows as u64;
        if groups > usize::MAX / 64 || pointers > usize::MAX as u64 / 64 {
            return Err(MatrixError("too large for this machine's address space"));
        }
        if (6..16).any(|i| field(i) != 0) {
            return Err(MatrixError("reserved header fields are not 0"));
        }
        Ok(Shape { pattern, rows, cols, panel_cols, groups, kept_blocks })
    }

    /// Whether the bytes behind each array, up to the next multiple of 64, are 0.
    fn gaps_are_zero(&self, bytes: &[u8]) -> bool {
        let mut at = HEADER_LEN;
        self.array_bytes().into_iter().all(|len| {
            let end = at + len;
            at = end.next_multiple_of(64);
            bytes.get(end..at).is_some_and(|gap| gap.iter().all(|&byte| byte == 0))
        })
    }

    /// Cuts the section into its arrays.
    fn arrays<'a>(&self, bytes: &'a [u8]) -> Option<Arrays<'a>> {
        let mut rest = bytes.get(HEADER_LEN..)?;
        let mut take = |len: usize| {
            let (array, after) = rest.split_at_checked(len)?;
            rest = after.get(len.wrapping_neg() % 64..)?;
            Some(array)
        };
        let [scales, bias, row_sums, pointers, indices, weights] = self.array_bytes();
        let arrays = Arrays {
            scales: bytemuck::try_cast_slice(take(scales)?).ok()?,
            bias: bytemuck::try_cast_slice(take(bias)?).ok()?,
            row_sums: bytemuck::try_cast_slice(take(row_sums)?).ok()?,
            pointers: bytemuck::try_cast_slice(take(pointers)?).ok()?,
            indices: take(indices)?,
            weights: bytemuck::cast_slice(take(weights)?),
        };
        rest.is_empty().then_some(arrays)
    }
}

/// A section's bytes, known (or promised) to be a valid matrix.
#[derive(Clone, Copy, Debug)]
pub struct PackedMatrix<'a> {
    bytes: &'a [u8],
}

impl<'a> PackedMatrix<'a> {
    /// Checks everything that a kernel trusts, and the zeros between the arrays: lengths, monotone pointers, every index in range, weights in
    /// [−127, 127], row sums, finite scales and biases.
    ///
    /// # Errors
    /// [`MatrixError`] with the reason. `bytes` must start at a multiple of 4 bytes in memory.
    pub fn validate(bytes: &'a [u8]) -> Result<Self, MatrixError> {
        let shape = Shape::read(bytes)?;
        let arrays = shape.arrays(bytes).ok_or(MatrixError(LENGTH))?;
        if !shape.gaps_are_zero(bytes) {
            return Err(MatrixError("bytes between the arrays are not 0"));
        }
        if !arrays.scales.iter().chain(arrays.bias).all(|x| x.is_finite()) {
            return Err(MatrixError("a scale or a bias is not finite"));
        }
        if arrays.scales.iter().any(|&scale| scale < 0.0) {
            return Err(MatrixError("a scale is negative"));
        }
        if arrays.weights.iter().fold(false, |found, &w| found | (w == i8::MIN)) {
            return Err(MatrixError("a weight is -128"));
        }
        let monotone = arrays.pointers.first() == Some(&0)
            && arrays.pointers.last().is_some_and(|&last| last as usize == shape.groups)
            && arrays.pointers.iter().zip(arrays.pointers.iter().skip(1)).all(|(begin, end)| begin <= end);
        if !monotone {
            return Err(MatrixError("pointers do not run from 0 to the number of groups"));
        }
        match shape.pattern {
            Pattern::OutputBlock => OutputBlock::check(&shape, &arrays)?,
            Pattern::InputBlock => InputBlock::check(&shape, &arrays)?,
        }
        Ok(Self { bytes })
    }

    /// The matrix at `range` of trusted bytes: checks the header and the length, and takes the contents on trust, in
    /// the same time for every matrix.
    ///
    /// # Errors
    /// [`MatrixError`], as [`validate`](Self::validate).
    pub fn trust(trusted: &Trusted<'a>, range: Range<usize>) -> Result<Self, MatrixError> {
        let bytes = trusted.bytes().get(range).ok_or(MatrixError(LENGTH))?;
        let arrays = Shape::read(bytes)?.arrays(bytes);
        arrays.map(|_| Self { bytes }).ok_or(MatrixError(LENGTH))
    }

    /// The matrix in these bytes; always `Some`, since header and length were checked.
    pub fn view(&self) -> Option<Matrix<'a>> {
        let shape = Shape::read(self.bytes).ok()?;
        let arrays = shape.arrays(self.bytes)?;
        Some(match shape.pattern {
            Pattern::OutputBlock => Matrix::OutputBlock(OutputBlock::from_checked(shape, arrays)),
            Pattern::InputBlock => Matrix::InputBlock(InputBlock::from_checked(shape, arrays)),
        })
    }

    /// Length of the section in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Matrix<'_> {
    /// The pattern of its blocks.
    pub fn pattern(&self) -> Pattern {
        self.shape().pattern
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.shape().rows
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        self.shape().cols
    }

    /// Blocks with at least one weight that is not zero, as the header counts them: at most as many as the section holds.
    pub fn kept_blocks(&self) -> usize {
        self.shape().kept_blocks
    }

    /// Share of the blocks that are kept, 0 to 1.
    pub fn density(&self) -> f64 {
        let shape = self.shape();
        4.0 * shape.kept_blocks as f64 / (shape.rows as f64 * shape.cols as f64)
    }

    fn shape(&self) -> &Shape {
        match self {
            Matrix::OutputBlock(matrix) => &matrix.shape,
            Matrix::InputBlock(matrix) => &matrix.shape,
        }
    }
}
