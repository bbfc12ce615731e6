//! Matrix products of parts of a storage.
//!
//! In f32 candle's own product computes them (the `gemm` crate, on all cores); it trusts a layout to lie inside its
//! storage, so that is checked here. In bf16 the kernels do, rows of the result by rows: which thread has which changes no
//! bit. A small product stays on the thread that asks for it.

use core::cell::Cell;

use blockspan_kernels::ShapeError;
use blockspan_kernels::dense_bf16::{self, BLOCK_ROWS, Bf16Products, PackedMatrix, PanelShape};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Layout, Result, bail};
use rayon::prelude::*;

use super::products::Products;

/// A product of fewer multiplications in bf16 is not divided among threads.
const WORTH_THREADS: usize = 1 << 22;

thread_local! {
    /// The packed right matrix of the product before: memory that need not be asked for again.
    static PANELS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

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

    /// The matrix as the kernels take it.
    fn dense(&self) -> Result<dense_bf16::Matrix<'a>> {
        self.layout()?;
        let CpuStorage::F32(values) = self.storage else { bail!("a product needs f32 matrices") };
        let strides = [self.row_stride, self.column_stride];
        fits(dense_bf16::Matrix::new(&values[self.start..], [self.rows, self.columns], strides))
    }
}

/// `a · b`, row-major.
///
/// # Errors
/// Matrices that are empty, do not fit each other or reach beyond their storage.
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>, products: Products) -> Result<Vec<f32>> {
    if a.columns != b.rows {
        bail!("a product of {} × {} and {} × {}", a.rows, a.columns, b.rows, b.columns);
    }
    if let Products::Bf16(how) = products {
        return product_bf16(a.dense()?, b.dense()?, how);
    }
    let shape = (1, a.rows, b.columns, a.columns);
    match a.storage.matmul(b.storage, shape, &a.layout()?, &b.layout()?)? {
        CpuStorage::F32(values) => Ok(values),
        other => bail!("a product of f32 matrices came as {:?}", other.dtype()),
    }
}

/// `a · b` of matrices that are not empty.
fn product_bf16(a: dense_bf16::Matrix<'_>, b: dense_bf16::Matrix<'_>, how: Bf16Products) -> Result<Vec<f32>> {
    let ([rows, depth], [_, columns]) = (a.shape(), b.shape());
    let shape = PanelShape::new(b.shape());
    let (len, panel_len) = (fits(shape.len())?, fits(shape.panel_len())?);
    // Taken, not borrowed: while this thread waits for others it may compute another product.
    let mut panels = PANELS.take();
    if panels.len() < len {
        panels.resize(len, 0);
    }
    let mut out = vec![0.0; rows * columns];
    let pack = |(panel, out): (usize, &mut [u32])| how.pack_panel(b, panel, out);
    let multiply = |packed, rows: usize| {
        move |(part, out): (usize, &mut [f32])| {
            how.product(a.rows(part * rows..(part + 1) * rows), packed, out)
        }
    };
    let done = if rows.saturating_mul(columns).saturating_mul(depth) < WORTH_THREADS {
        let packed = panels[..len].chunks_mut(panel_len).enumerate().try_for_each(pack);
        packed.and_then(|()| how.product(a, PackedMatrix::new(&panels[..len], shape)?, &mut out))
    } else {
        let packed = panels[..len].par_chunks_mut(panel_len).enumerate().try_for_each(pack);
        packed.and_then(|()| {
            let packed = PackedMatrix::new(&panels[..len], shape)?;
            let rows = rows.div_ceil(rayon::current_num_threads()).next_multiple_of(16).min(BLOCK_ROWS);
            out.par_chunks_mut(rows * columns).enumerate().try_for_each(multiply(packed, rows))
        })
    };
    PANELS.set(panels);
    fits(done.map(|()| out))
}

fn fits<T>(result: core::result::Result<T, ShapeError>) -> Result<T> {
    result.map_err(candle_core::Error::wrap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_storage_are_multiplied() -> Result<()> {
        // Columns 1 and 2 of the rows 1 2 3 | 4 5 6, after one value that is skipped.
        let storage = CpuStorage::F32(vec![9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let part = Matrix::new(&storage, 2, 2, 2).with_row_stride(3);
        for products in [Products::F32, Products::Bf16(Bf16Products::scalar())] {
            assert_eq!(product(part, part.t(), products)?, [13.0, 28.0, 28.0, 61.0]);
            assert_eq!(product(part.t(), part, products)?, [29.0, 36.0, 36.0, 45.0]);
        }
        Ok(())
    }

    #[test]
    fn threads_change_no_bit() -> Result<()> {
        let Some(how) = Bf16Products::vectorized() else { return Ok(()) };
        let (rows, depth, columns) = (301, 170, 150);
        assert!(rows * depth * columns > WORTH_THREADS);
        let values = |len: usize| (0..len).map(|i| (i * 7919 % 1013) as f32 / 500.0 - 1.0).collect();
        let (a, b) = (CpuStorage::F32(values(rows * depth)), CpuStorage::F32(values(depth * columns)));
        let (a, b) = (Matrix::new(&a, 0, rows, depth), Matrix::new(&b, 0, depth, columns));
        let of_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map_err(candle_core::Error::wrap)?.install(|| product(a, b, Products::Bf16(how)))
        };
        let (one, exact) = (of_threads(1)?, product(a, b, Products::F32)?);
        assert_eq!(of_threads(3)?, one);
        // Each operand errs by 2⁻⁹ of itself at most.
        for (index, (rounded, exact)) in one.iter().zip(&exact).enumerate() {
            assert!((rounded - exact).abs() < depth as f32 / 256.0 * 1.1, "{index}: {rounded}, {exact}");
        }
        assert!(one != exact);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let storage = CpuStorage::F32(vec![0.0; 6]);
        let matrix = Matrix::new(&storage, 0, 2, 3);
        let doubles = CpuStorage::F64(vec![0.0; 6]);
        for products in [Products::F32, Products::Bf16(Bf16Products::scalar())] {
            assert!(product(matrix, matrix, products).is_err());
            assert!(product(matrix, Matrix::new(&storage, 1, 3, 2), products).is_err());
            let empty = (Matrix::new(&storage, 0, 2, 0), Matrix::new(&storage, 0, 0, 2));
            assert!(product(empty.0, empty.1, products).is_err());
            assert!(product(matrix, Matrix::new(&doubles, 0, 3, 2), products).is_err());
        }
    }
}
