//! Products of matrices by tiles that stay in registers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::matrix::Mat;

/// Columns of a strip and of a tile.
pub(super) const WIDTH: usize = 16;
/// Rows of a tile.
pub(super) const HEIGHT: usize = 4;

/// A matrix cut into strips of [`WIDTH`] columns; the rows of a strip follow each other, `[strip][row][column]`.
/// Columns beyond the matrix are 0.
pub(in crate::prune) struct Strips {
    rows: usize,
    columns: usize,
    values: Vec<[f64; WIDTH]>,
}

impl Strips {
    /// `at` gives the value at a row and column.
    pub(in crate::prune) fn new(
        rows: usize,
        columns: usize,
        at: impl Fn(usize, usize) -> f64 + Sync,
    ) -> Self {
        let mut values = vec![[0.0; WIDTH]; rows * columns.div_ceil(WIDTH)];
        values.par_chunks_mut(rows.max(1)).enumerate().for_each(|(strip, values)| {
            let begin = strip * WIDTH;
            let width = WIDTH.min(columns - begin);
            for (row, values) in values.iter_mut().enumerate() {
                (0..width).for_each(|column| values[column] = at(row, begin + column));
            }
        });
        Strips { rows, columns, values }
    }

    fn strip(&self, strip: usize) -> &[[f64; WIDTH]] {
        &self.values[strip * self.rows..(strip + 1) * self.rows]
    }
}

/// `aᵀ·b` of two matrices with equally many rows, on all threads. Rows before `first(i, j)` are 0 in column `i` of
/// `a` or in column `j` of `b`, for all later `i` and `j` too, and are left out.
pub(in crate::prune) fn product(a: &Strips, b: &Strips, first: impl Fn(usize, usize) -> usize + Sync) -> Mat {
    let mut result = Mat::zeros(a.columns, b.columns);
    if b.columns == 0 {
        return result;
    }
    result.values.par_chunks_mut(WIDTH * b.columns).enumerate().for_each(|(i, rows)| {
        Arch::new().dispatch(ProductRows { a, b, i, rows, first: &first });
    });
    result
}

/// Rows of a product: those of strip `i` of `a`.
struct ProductRows<'a, F> {
    a: &'a Strips,
    b: &'a Strips,
    i: usize,
    rows: &'a mut [f64],
    first: &'a F,
}

impl<F: Fn(usize, usize) -> usize> WithSimd for ProductRows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ProductRows { a, b, i, rows, first } = self;
        for j in 0..b.columns.div_ceil(WIDTH) {
            let from = first(i * WIDTH, j * WIDTH);
            let (a, right) = (&a.strip(i)[from..], &b.strip(j)[from..]);
            for (quarter, rows) in rows.chunks_mut(HEIGHT * b.columns).enumerate() {
                let sums = tile(simd, a, quarter * HEIGHT, right);
                for (row, sums) in rows.chunks_exact_mut(b.columns).zip(&sums) {
                    row[j * WIDTH..].iter_mut().zip(sums).for_each(|(value, sum)| *value = *sum);
                }
            }
        }
    }
}

/// `Σ over k of a[k][offset + r] · b[k][w]` at `(r, w)`.
#[inline(always)]
pub(super) fn tile<S: Simd, const A: usize>(
    simd: S,
    a: &[[f64; A]],
    offset: usize,
    b: &[[f64; WIDTH]],
) -> [[f64; WIDTH]; HEIGHT] {
    let mut result = [[0.0; WIDTH]; HEIGHT];
    for first in (0..WIDTH).step_by(2 * S::F64_LANES) {
        let mut sums = [[simd.splat_f64s(0.0); 2]; HEIGHT];
        for (a, b) in a.iter().zip(b) {
            let (b, _) = S::as_simd_f64s(&b[first..]);
            for (sums, &a) in sums.iter_mut().zip(&a[offset..offset + HEIGHT]) {
                let a = simd.splat_f64s(a);
                sums[0] = simd.add_f64s(sums[0], simd.mul_f64s(a, b[0]));
                sums[1] = simd.add_f64s(sums[1], simd.mul_f64s(a, b[1]));
            }
        }
        for (result, sums) in result.iter_mut().zip(sums) {
            let (place, _) = S::as_mut_simd_f64s(&mut result[first..]);
            place[..2].copy_from_slice(&sums);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, left, right) in [(1, 1, 1), (3, 16, 17), (20, 5, 32), (33, 37, 3), (0, 2, 2)] {
            let at_left = |row: usize, column: usize| ((row * 7 + column * 5) % 11) as f64 - 5.0;
            let at_right = |row: usize, column: usize| ((row * 3 + column * 13) % 17) as f64 - 8.0;
            let strips = (Strips::new(rows, left, at_left), Strips::new(rows, right, at_right));
            let found = product(&strips.0, &strips.1, |_, _| 0);
            for i in 0..left {
                for j in 0..right {
                    let expected: f64 = (0..rows).map(|row| at_left(row, i) * at_right(row, j)).sum();
                    assert_eq!(found.at(i, j), expected, "{i}, {j} of {rows} × {left}, {right}");
                }
            }
        }
    }
}
