//! Dense products of f32 matrices in bf16: what training multiplies, not what the engine does.
//!
//! **Definition.** Both operands are rounded to bf16, to nearest with ties to even. A value of the result begins at 0 and
//! takes two steps for each pair of columns of the left matrix, in their order: a fused multiply-add with the pair's
//! second product, then one with its first. Both round to nearest, ties to even; subnormal values count as 0 wherever they
//! appear. A missing second column counts as 0. That is what `vdpbf16ps` computes, so [`Scalar`](Bf16Products::scalar)
//! and the vector code give the same bits (of a NaN only that it is one), whatever the blocks and threads.
//!
//! The right matrix is packed first ([`Bf16Products::pack_panel`]) and can then be multiplied by the rows of the left one
//! in parts, on several threads ([`Bf16Products::product`]).

mod scalar;
#[cfg(test)]
mod tests;

use core::ops::Range;

use crate::ShapeError;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::x86_64::Avx512Bf16;

/// Columns of a panel of the right matrix.
pub const PANEL_COLUMNS: usize = 48;

/// Rows of the left matrix whose rounded values are multiplied at a time: a part of the rows for another thread should have
/// so many.
pub const BLOCK_ROWS: usize = 128;

/// An f32 matrix: element `(row, column)` is the value number `row · row_stride + column · column_stride`. One of the
/// strides is 1, and all elements lie in the values.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The matrix.
    ///
    /// # Errors
    /// Elements beyond the values, or two strides other than 1.
    pub fn new(
        values: &'a [f32],
        [rows, columns]: [usize; 2],
        [row_stride, column_stride]: [usize; 2],
    ) -> Result<Self, ShapeError> {
        // A stride that is never taken may be any.
        let row_stride = if rows <= 1 { 1 } else { row_stride };
        let column_stride = if columns <= 1 { 1 } else { column_stride };
        if row_stride != 1 && column_stride != 1 {
            return Err(ShapeError);
        }
        if let (Some(row), Some(column)) = (rows.checked_sub(1), columns.checked_sub(1)) {
            let row = row.checked_mul(row_stride).ok_or(ShapeError)?;
            let column = column.checked_mul(column_stride).ok_or(ShapeError)?;
            if row.checked_add(column).is_none_or(|last| last >= values.len()) {
                return Err(ShapeError);
            }
        }
        Ok(Matrix { values, rows, columns, row_stride, column_stride })
    }

    /// The same values with rows and columns exchanged.
    pub fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of the rows; those beyond the matrix are left out.
    pub fn rows(self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.rows);
        let start = rows.start.min(end);
        let values = self.values.get(start * self.row_stride..).unwrap_or_default();
        Matrix { values, rows: end - start, ..self }
    }

    /// Values of a row from a column on, as many as `len`, of a matrix whose columns lie side by side.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    pub(crate) fn part_of_row(&self, row: usize, column: usize, len: usize) -> &'a [f32] {
        debug_assert!(self.column_stride == 1 && row < self.rows && column + len <= self.columns);
        &self.values[row * self.row_stride + column..][..len]
    }

    /// Values of a column from a row on, as many as `len`, of a matrix whose rows lie side by side.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    pub(crate) fn part_of_column(&self, row: usize, column: usize, len: usize) -> &'a [f32] {
        debug_assert!(self.row_stride == 1 && column < self.columns && row + len <= self.rows);
        &self.values[column * self.column_stride + row..][..len]
    }

    /// Asks for the cache line of an element, which may be beyond the matrix.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize, column: usize) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = row.wrapping_mul(self.row_stride).wrapping_add(column.wrapping_mul(self.column_stride));
        // SAFETY: a prefetch reads nothing that the program sees and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(self.values.as_ptr().wrapping_add(at).cast()) }
    }

    /// Whether the values of a row lie side by side; those of a column do otherwise.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    pub(crate) fn has_unit_column_stride(&self) -> bool {
        self.column_stride == 1
    }

    /// `[rows, columns]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// An element; 0 beyond the matrix.
    fn get(&self, row: usize, column: usize) -> f32 {
        let inside = row < self.rows && column < self.columns;
        if inside { self.values[row * self.row_stride + column * self.column_stride] } else { 0.0 }
    }
}

/// How a right matrix is packed: panels of [`PANEL_COLUMNS`] columns, each a row of pairs for two rows of the matrix. A
/// pair holds the upper row's bf16 in its low half. What is beyond the matrix is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelShape {
    rows: usize,
    columns: usize,
}

impl PanelShape {
    /// Of a matrix of this shape.
    pub fn new([rows, columns]: [usize; 2]) -> Self {
        PanelShape { rows, columns }
    }

    /// Panels of the matrix.
    pub fn panels(self) -> usize {
        self.columns.div_ceil(PANEL_COLUMNS)
    }

    /// Pairs of a panel.
    ///
    /// # Errors
    /// More than fit the address space.
    pub fn panel_len(self) -> Result<usize, ShapeError> {
        self.pairs().checked_mul(PANEL_COLUMNS).ok_or(ShapeError)
    }

    /// Pairs of the whole matrix.
    ///
    /// # Errors
    /// More than fit the address space.
    pub fn len(self) -> Result<usize, ShapeError> {
        self.panel_len()?.checked_mul(self.panels()).ok_or(ShapeError)
    }

    /// Whether the matrix has no element.
    pub fn is_empty(self) -> bool {
        self.rows == 0 || self.columns == 0
    }

    /// Pairs of a column.
    fn pairs(self) -> usize {
        self.rows.div_ceil(2)
    }
}

/// A packed right matrix.
#[derive(Clone, Copy, Debug)]
pub struct PackedMatrix<'a> {
    panels: &'a [u32],
    shape: PanelShape,
}

impl<'a> PackedMatrix<'a> {
    /// The matrix in these panels.
    ///
    /// # Errors
    /// More or fewer pairs than the shape has.
    pub fn new(panels: &'a [u32], shape: PanelShape) -> Result<Self, ShapeError> {
        if shape.len()? == panels.len() { Ok(PackedMatrix { panels, shape }) } else { Err(ShapeError) }
    }

    /// Columns of the matrix.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    pub(crate) fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Some rows of pairs of a panel.
    pub(crate) fn panel(&self, panel: usize, pairs: Range<usize>) -> &'a [u32] {
        let start = panel * self.shape.pairs() * PANEL_COLUMNS;
        &self.panels[start + pairs.start * PANEL_COLUMNS..start + pairs.end * PANEL_COLUMNS]
    }
}

/// Proof that this machine can multiply in bf16, and how it does.
#[derive(Clone, Copy, Debug)]
pub struct Bf16Products(Implementation);

#[derive(Clone, Copy, Debug)]
enum Implementation {
    Scalar,
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    Avx512Bf16(Avx512Bf16),
}

impl Bf16Products {
    /// With vector instructions; `None` where the machine has none for bf16. Today: x86-64 with AVX-512 BF16.
    pub fn vectorized() -> Option<Self> {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        let found = Avx512Bf16::new().map(|token| Bf16Products(Implementation::Avx512Bf16(token)));
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let found = None;
        found
    }

    /// In plain Rust, slowly: the definition.
    pub fn scalar() -> Self {
        Bf16Products(Implementation::Scalar)
    }

    /// Packs the columns of one panel of a right matrix.
    ///
    /// # Errors
    /// A panel that the matrix does not have, or another number of pairs than a panel's.
    pub fn pack_panel(self, b: Matrix<'_>, panel: usize, out: &mut [u32]) -> Result<(), ShapeError> {
        let shape = PanelShape::new(b.shape());
        if panel >= shape.panels() || out.len() != shape.panel_len()? {
            return Err(ShapeError);
        }
        let columns = b.t().rows(panel * PANEL_COLUMNS..(panel + 1) * PANEL_COLUMNS);
        match self.0 {
            Implementation::Scalar => scalar::pack_panel(columns, out),
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Implementation::Avx512Bf16(token) => token.pack_panel(columns, out),
        }
        Ok(())
    }

    /// `a · b`, row-major.
    ///
    /// # Errors
    /// Matrices that do not fit each other, or a result of another length.
    pub fn product(self, a: Matrix<'_>, b: PackedMatrix<'_>, out: &mut [f32]) -> Result<(), ShapeError> {
        let PanelShape { rows: depth, columns } = b.shape;
        if a.columns != depth || a.rows.checked_mul(columns) != Some(out.len()) {
            return Err(ShapeError);
        }
        if out.is_empty() {
            return Ok(());
        }
        match self.0 {
            Implementation::Scalar => scalar::product(a, b, out),
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Implementation::Avx512Bf16(token) => token.product(a, b, out),
        }
        Ok(())
    }
}
