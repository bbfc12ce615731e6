//! A matrix in f64, and the little that is done with single rows of it.

use crate::ops::vectorized;

/// A square or rectangular row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::prune) struct Mat {
    pub(in crate::prune) rows: usize,
    pub(in crate::prune) columns: usize,
    pub(in crate::prune) values: Vec<f64>,
}

impl Mat {
    pub(in crate::prune) fn zeros(rows: usize, columns: usize) -> Self {
        Mat { rows, columns, values: vec![0.0; rows * columns] }
    }

    pub(in crate::prune) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    pub(in crate::prune) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.columns..(row + 1) * self.columns]
    }

    pub(in crate::prune) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }
}

/// Independent partial sums, enough to keep vector registers busy.
const LANES: usize = 16;

/// The dot product of two slices.
#[inline(always)]
pub(in crate::prune) fn dot(a: &[f64], b: &[f64]) -> f64 {
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

/// `x` such that `U·x = b`, in place; `U` is the upper triangle of the first columns of `upper`.
pub(in crate::prune) fn solve_upper(upper: &Mat, b: &mut [f64]) {
    let n = b.len();
    vectorized(
        #[inline(always)]
        || {
            for i in (0..n).rev() {
                let row = &upper.row(i)[..n];
                b[i] = (b[i] - dot(&row[i + 1..], &b[i + 1..])) / row[i];
            }
        },
    );
}

/// `aᵀ·B⁻¹·a` of the first `n` rows and columns of a positive definite `B`, of which the upper triangle counts.
/// `None` where it is not definite.
pub(in crate::prune) fn inverse_form<const N: usize>(
    mut b: [[f64; N]; N],
    mut a: [f64; N],
    n: usize,
) -> Option<f64> {
    let mut sum = 0.0;
    for k in 0..n {
        let (row, entry) = (b[k], a[k]);
        let pivot = row[k];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        for i in k + 1..n {
            let factor = row[i] / pivot;
            b[i].iter_mut().zip(row).for_each(|(value, above)| *value -= factor * above);
            a[i] -= factor * entry;
        }
        sum += entry * entry / pivot;
    }
    Some(sum)
}
