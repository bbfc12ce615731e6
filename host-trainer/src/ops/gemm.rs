//! Matrix product of strided slices: a checked door to the `gemm` crate.

/// A matrix inside a slice: element `(row, column)` is at `row · row_stride + column · column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, `row_stride` apart.
    pub(super) fn new(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Matrix { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same values with rows and columns exchanged.
    pub(super) fn t(self) -> Self {
        Matrix {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// Who computes a product.
#[derive(Clone, Copy)]
pub(super) enum Threads {
    /// The calling thread: for products that already run side by side.
    One,
    /// All threads of the rayon pool.
    All,
}

/// `out = keep · out + scale · a · b`, where `keep` is 0 or 1. `out` holds rows of `b.columns` values,
/// `out_stride` apart; what lies between the rows is left alone.
///
/// # Panics
/// When the shapes do not fit each other or their slices.
pub(super) fn gemm(
    out: &mut [f32],
    out_stride: usize,
    keep: bool,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: Threads,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner dimensions");
    if m == 0 || n == 0 {
        return;
    }
    let fits = |len: usize, rows: usize, columns: usize, row_stride: usize, column_stride: usize| {
        rows == 0 || columns == 0 || (rows - 1) * row_stride + (columns - 1) * column_stride < len
    };
    assert!(fits(a.data.len(), m, k, a.row_stride, a.column_stride), "left matrix");
    assert!(fits(b.data.len(), k, n, b.row_stride, b.column_stride), "right matrix");
    assert!(out_stride >= n && fits(out.len(), m, n, out_stride, 1), "result");
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(rayon::current_num_threads()),
    };
    // SAFETY: the last element of each of the three matrices lies inside its slice (asserted above, and
    // all strides are positive, so every other element does too); rows of `out` do not overlap
    // (out_stride >= n), and `out` is borrowed mutably, so it aliases neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            keep,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
