//! Matrix products of parts of a storage.
//!
//! candle's own product computes them (the `gemm` crate, on all cores); it trusts a layout to lie inside its
//! storage, so that is checked here. A product of a few thousand values stays on the thread that asks for it.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Layout, Result, bail};

/// A matrix inside an f32 storage: element `(row, column)` is the value number
/// `start + row · row_stride + column · column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    storage: &'a CpuStorage,
    start: usize,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, one after another from value number `start`.
    pub(super) fn new(storage: &'a CpuStorage, start: usize, rows: usize, columns: usize) -> Self {
        Matrix { storage, start, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same, with rows that begin `row_stride` values apart.
    pub(super) fn with_row_stride(self, row_stride: usize) -> Self {
        Matrix { row_stride, ..self }
    }

    /// The same values with rows and columns exchanged.
    pub(super) fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The matrix as candle describes it.
    fn layout(&self) -> Result<Layout> {
        let CpuStorage::F32(values) = self.storage else { bail!("a product needs f32 matrices") };
        let last = match (self.rows.checked_sub(1), self.columns.checked_sub(1)) {
            (Some(row), Some(column)) => self.start + row * self.row_stride + column * self.column_stride,
            _ => bail!("a product of an empty matrix"),
        };
        if last >= values.len() {
            bail!("a matrix reaches to value {last} of {}", values.len());
        }
        let strides = vec![self.row_stride, self.column_stride];
        Ok(Layout::new((self.rows, self.columns).into(), strides, self.start))
    }
}

/// `a · b`, row-major.
///
/// # Errors
/// Matrices that are empty, do not fit each other or reach beyond their storage.
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>) -> Result<Vec<f32>> {
    if a.columns != b.rows {
        bail!("a product of {} × {} and {} × {}", a.rows, a.columns, b.rows, b.columns);
    }
    let shape = (1, a.rows, b.columns, a.columns);
    match a.storage.matmul(b.storage, shape, &a.layout()?, &b.layout()?)? {
        CpuStorage::F32(values) => Ok(values),
        other => bail!("a product of f32 matrices came as {:?}", other.dtype()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_storage_are_multiplied() -> Result<()> {
        // Columns 1 and 2 of the rows 1 2 3 | 4 5 6, after one value that is skipped.
        let storage = CpuStorage::F32(vec![9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let part = Matrix::new(&storage, 2, 2, 2).with_row_stride(3);
        assert_eq!(product(part, part.t())?, [13.0, 28.0, 28.0, 61.0]);
        assert_eq!(product(part.t(), part)?, [29.0, 36.0, 36.0, 45.0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let storage = CpuStorage::F32(vec![0.0; 6]);
        let matrix = Matrix::new(&storage, 0, 2, 3);
        assert!(product(matrix, matrix).is_err());
        assert!(product(matrix, Matrix::new(&storage, 1, 3, 2)).is_err());
        assert!(product(Matrix::new(&storage, 0, 2, 0), Matrix::new(&storage, 0, 0, 2)).is_err());
        let doubles = CpuStorage::F64(vec![0.0; 6]);
        assert!(product(matrix, Matrix::new(&doubles, 0, 3, 2)).is_err());
    }
}
