//! The little dense algebra that second-order pruning needs, in f64. (The crates that offer it take minutes to
//! compile; these are three loops over dot products of rows.)

use crate::ops::vectorized;

/// A square or rectangular row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mat {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl Mat {
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Mat { rows, columns, values: vec![0.0; rows * columns] }
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// The rows and columns `index`.
    pub(super) fn part(&self, index: &[usize]) -> Mat {
        let mut values = Vec::with_capacity(index.len() * index.len());
        for &row in index {
            let row = self.row(row);
            values.extend(index.iter().map(|&column| row[column]));
        }
        Mat { rows: index.len(), columns: index.len(), values }
    }
}

/// Independent partial sums, enough to keep vector registers busy.
const LANES: usize = 16;

/// The dot product of two slices.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_main, b_main) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = a_main.remainder().iter().zip(b_main.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_main.zip(b_main) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// The lower factor `L` of a symmetric positive definite matrix, `L·Lᵀ`, in its lower triangle; the upper one is
/// set to 0. `None` for a matrix that is not positive definite.
pub(super) fn cholesky(mut a: Mat) -> Option<Mat> {
    let n = a.rows;
    let definite = vectorized(
        #[inline(always)]
        || {
            for i in 0..n {
                let (above, row) = a.values.split_at_mut(i * n);
                let row = &mut row[..n];
                for (j, other) in above.chunks_exact(n).enumerate() {
                    row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
                }
                let square = row[i] - dot(&row[..i], &row[..i]);
                if square.is_nan() || square <= 0.0 {
                    return false;
                }
                row[i] = square.sqrt();
                row[i + 1..].fill(0.0);
            }
            true
        },
    );
    definite.then_some(a)
}

/// `x` such that `L·Lᵀ·x = b`, in place.
pub(super) fn solve(lower: &Mat, b: &mut [f64]) {
    let n = lower.rows;
    vectorized(
        #[inline(always)]
        || {
            for i in 0..n {
                let row = lower.row(i);
                b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
            }
            for i in (0..n).rev() {
                let row = lower.row(i);
                b[i] /= row[i];
                let value = b[i];
                b[..i].iter_mut().zip(row).for_each(|(b, l)| *b -= value * l);
            }
        },
    );
}

/// `Zᵀ` of the inverse `Z` of a lower factor: row `j` holds column `j` of `Z`, which is 0 before `j`. The inverse
/// of `L·Lᵀ` has the entry `dot(row i, row j)` at `(i, j)`.
pub(super) fn inverse_transposed(lower: &Mat) -> Mat {
    let n = lower.rows;
    let mut inverse = Mat::zeros(n, n);
    vectorized(
        #[inline(always)]
        || {
            for (j, column) in inverse.values.chunks_exact_mut(n.max(1)).enumerate() {
                column[j] = 1.0 / lower.at(j, j);
                for i in j + 1..n {
                    let row = lower.row(i);
                    column[i] = -dot(&row[j..i], &column[j..i]) / row[i];
                }
            }
        },
    );
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definite(n: usize) -> Mat {
        // B·Bᵀ + I with B of small integers.
        let b: Vec<f64> = (0..n * n).map(|i| ((i * 37 + 11) % 17) as f64 / 8.0 - 1.0).collect();
        let mut a = Mat::zeros(n, n);
        for i in 0..n {
            for j in 0..n {
                let product = dot(&b[i * n..(i + 1) * n], &b[j * n..(j + 1) * n]);
                a.values[i * n + j] = product + f64::from(u8::from(i == j));
            }
        }
        a
    }

    #[test]
    fn a_definite_matrix_is_factored_solved_and_inverted() {
        for n in [1, 2, 16, 37] {
            let a = definite(n);
            let lower = cholesky(a.clone()).expect("definite");
            let inverse = inverse_transposed(&lower);
            for i in 0..n {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                solve(&lower, &mut unit);
                for j in 0..n {
                    let product = dot(lower.row(i), lower.row(j));
                    assert!((product - a.at(i, j)).abs() < 1e-10, "L·Lᵀ at {i}, {j} of {n}");
                    let entry = dot(inverse.row(i), inverse.row(j));
                    assert!((entry - unit[j]).abs() < 1e-10, "inverse at {i}, {j} of {n}");
                    let identity = dot(a.row(j), &unit);
                    assert!((identity - f64::from(u8::from(i == j))).abs() < 1e-9, "A·x at {i}, {j}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_definite_is_refused() {
        let mut a = definite(4);
        a.values[10] = -1.0;
        assert_eq!(cholesky(a), None);
        assert_eq!(cholesky(Mat { rows: 1, columns: 1, values: vec![f64::NAN] }), None);
        assert_eq!(definite(5).part(&[1, 4]).values[1], definite(5).at(1, 4));
    }
}
