//! Symmetric elimination with right-hand sides: Cholesky's factorization and the forward substitution in one.
//!
//! By panels of rows: a panel is factored and moved to strips, then the rows below lose their share of it, tile by
//! tile. Nearly all the work is in the latter, the product of a panel with itself.

use pulp::{Arch, Simd, WithSimd};

use super::matrix::Mat;
use super::strips::{HEIGHT, WIDTH, tile};

/// Rows of a panel.
const PANEL: usize = 32;

/// A panel in a strip of columns.
type Strip = [[f64; WIDTH]; PANEL];

/// What the right-hand sides are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::prune) enum Right {
    /// Any.
    Dense,
    /// Any, but that the last ones are the identity; what comes of it is lower triangular.
    ThenIdentity,
}

/// Turns `[A | B]` into `[U | U⁻ᵀ·B]` with an upper triangular `U` such that `Uᵀ·U = A`. `A` is symmetric, square
/// and given by its upper triangle; what is below the diagonal in these columns is neither read nor of any
/// meaning afterwards. False, with the matrix destroyed, where `A` is not positive definite.
pub(in crate::prune) fn eliminate(m: &mut Mat, right: Right) -> bool {
    Arch::new().dispatch(Eliminate { m, right })
}

struct Eliminate<'a> {
    m: &'a mut Mat,
    right: Right,
}

impl WithSimd for Eliminate<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Eliminate { m, right } = self;
        let (n, columns) = (m.rows, m.columns);
        let mut strips: Vec<Strip> = Vec::new();
        for begin in (0..n).step_by(PANEL) {
            let end = n.min(begin + PANEL);
            let Some(factor) = factor_diagonal(m, begin..end) else { return false };
            // Before its own row the identity is 0 in every column.
            let active = match right {
                Right::Dense => columns,
                Right::ThenIdentity => columns - n + end,
            };
            strips.clear();
            for from in (end..active).step_by(WIDTH) {
                let place = from..active.min(from + WIDTH);
                let mut strip = [[0.0; WIDTH]; PANEL];
                for (row, values) in (begin..end).zip(&mut strip) {
                    values[..place.len()].copy_from_slice(&m.row(row)[place.clone()]);
                }
                substitute(simd, &factor, &mut strip);
                for (row, values) in (begin..end).zip(&strip) {
                    m.row_mut(row)[place.clone()].copy_from_slice(&values[..place.len()]);
                }
                strips.push(strip);
            }
            subtract(simd, m, end, active, &strips);
        }
        true
    }
}

/// Takes a panel's share from the rows and columns from `end` on, up to column `active`.
#[inline(always)]
fn subtract<S: Simd>(simd: S, m: &mut Mat, end: usize, active: usize, strips: &[Strip]) {
    let n = m.rows;
    for (j, strip) in strips.iter().enumerate() {
        let from = end + j * WIDTH;
        let width = WIDTH.min(active - from);
        // The rows of the columns' own number and below need no values of theirs: A is symmetric.
        for (i, rows) in strips.iter().enumerate().take(j + 1) {
            for offset in (0..WIDTH).step_by(HEIGHT) {
                let first = end + i * WIDTH + offset;
                if first >= n {
                    break;
                }
                let sums = tile(simd, rows, offset, strip);
                for (row, sums) in (first..n).zip(&sums) {
                    let place = &mut m.row_mut(row)[from..from + width];
                    place.iter_mut().zip(sums).for_each(|(value, sum)| *value -= sum);
                }
            }
        }
    }
}

/// The upper factor of a panel's diagonal block.
struct Factor {
    /// Continued by the identity where the panel is the last and smaller.
    upper: [[f64; PANEL]; PANEL],
    /// 1 / its diagonal.
    reciprocal: [f64; PANEL],
}

/// Factors the diagonal block of these rows, in place; `None` where it is not definite.
#[inline(always)]
fn factor_diagonal(m: &mut Mat, rows: core::ops::Range<usize>) -> Option<Factor> {
    let mut upper = [[0.0; PANEL]; PANEL];
    for (k, row) in upper.iter_mut().enumerate() {
        match rows.clone().nth(k) {
            Some(number) => row[..rows.len()].copy_from_slice(&m.row(number)[rows.clone()]),
            None => row[k] = 1.0,
        }
    }
    let mut reciprocal = [1.0; PANEL];
    for k in 0..rows.len() {
        let (done, below) = upper.split_at_mut(k + 1);
        let row = &mut done[k];
        let pivot = row[k];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        reciprocal[k] = 1.0 / pivot.sqrt();
        row.iter_mut().for_each(|value| *value *= reciprocal[k]);
        for (i, other) in (k + 1..).zip(below) {
            let factor = row[i];
            other.iter_mut().zip(&*row).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    for (k, row) in rows.clone().zip(&upper) {
        m.row_mut(k)[k..rows.end].copy_from_slice(&row[k - rows.start..rows.len()]);
    }
    Some(Factor { upper, reciprocal })
}

/// `strip` becomes `U⁻ᵀ·strip`.
#[inline(always)]
fn substitute<S: Simd>(simd: S, factor: &Factor, strip: &mut Strip) {
    for first in (0..PANEL).step_by(HEIGHT) {
        let (done, open) = strip.split_at_mut(first);
        let sums = tile(simd, &factor.upper[..first], first, done);
        for (r, sums) in sums.iter().enumerate() {
            let (above, row) = open.split_at_mut(r);
            let row = &mut row[0];
            row.iter_mut().zip(sums).for_each(|(value, sum)| *value -= sum);
            for (s, above) in above.iter().enumerate() {
                let factor = factor.upper[first + s][first + r];
                row.iter_mut().zip(above).for_each(|(value, above)| *value -= factor * above);
            }
            row.iter_mut().for_each(|value| *value *= factor.reciprocal[first + r]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::{dot, solve_upper};
    use super::*;

    /// B·Bᵀ + I with B of small integers, by its definition; `columns` beyond it hold other integers.
    fn definite(n: usize, columns: usize) -> Mat {
        let b: Vec<f64> = (0..n * n).map(|i| ((i * 37 + 11) % 17) as f64 / 8.0 - 1.0).collect();
        let mut a = Mat::zeros(n, columns);
        for i in 0..n {
            for j in 0..columns {
                a.row_mut(i)[j] = if j < n {
                    dot(&b[i * n..(i + 1) * n], &b[j * n..(j + 1) * n]) + f64::from(u8::from(i == j))
                } else {
                    ((i * 5 + j * 3) % 7) as f64 - 3.0
                };
            }
        }
        a
    }

    /// `[U | U⁻ᵀ·B]` by the textbook, a value at a time.
    fn plain(a: &Mat) -> Mat {
        let mut result = Mat::zeros(a.rows, a.columns);
        for k in 0..a.rows {
            for j in k..a.columns {
                let above: f64 = (0..k).map(|l| result.at(l, k) * result.at(l, j)).sum();
                let rest = a.at(k, j) - above;
                result.row_mut(k)[j] = if j == k { rest.sqrt() } else { rest / result.at(k, k) };
            }
        }
        result
    }

    #[test]
    fn elimination_is_that_of_the_textbook_over_the_edges_of_panels_and_strips() {
        for n in [1, 2, 4, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100] {
            for more in [0, 1, 5, 16, 40] {
                let a = definite(n, n + more);
                let expected = plain(&a);
                let mut found = a.clone();
                // What is below the diagonal must not matter.
                (0..n).for_each(|i| found.row_mut(i)[..i].fill(f64::NAN));
                assert!(eliminate(&mut found, Right::Dense), "{n} with {more}");
                for i in 0..n {
                    for j in i..n + more {
                        let (found, expected) = (found.at(i, j), expected.at(i, j));
                        assert!(
                            (found - expected).abs() < 1e-9 * expected.abs().max(1.0),
                            "{i}, {j} of {n} with {more}: {found}, {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_identity_gives_the_inverse() {
        for n in [1, 7, 16, 33, 70] {
            for more in [0, 3] {
                let a = definite(n, n + more);
                let mut m = Mat::zeros(n, 2 * n + more);
                for i in 0..n {
                    m.row_mut(i)[..n + more].copy_from_slice(a.row(i));
                    m.row_mut(i)[n + more + i] = 1.0;
                }
                assert!(eliminate(&mut m, Right::ThenIdentity));
                let x = |k: usize, i: usize| m.at(k, n + more + i);
                for i in 0..n {
                    assert!((0..i).all(|k| x(k, i) == 0.0), "lower triangular");
                    let inverse: Vec<f64> = (0..n).map(|j| (0..n).map(|k| x(k, i) * x(k, j)).sum()).collect();
                    for j in 0..n {
                        let identity = dot(a.row(j).split_at(n).0, &inverse);
                        assert!((identity - f64::from(u8::from(i == j))).abs() < 1e-8, "{i}, {j} of {n}");
                    }
                }
                for side in 0..more {
                    let mut solution: Vec<f64> = (0..n).map(|i| m.at(i, n + side)).collect();
                    solve_upper(&m, &mut solution);
                    for i in 0..n {
                        let product = dot(&a.row(i)[..n], &solution);
                        assert!((product - a.at(i, n + side)).abs() < 1e-8, "row {i} of {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_definite_is_refused() {
        for place in [0, 5, 40] {
            for value in [-1.0, 0.0, f64::NAN] {
                let mut a = definite(41, 45);
                a.row_mut(place)[place] = value;
                assert!(!eliminate(&mut a, Right::Dense), "{value} at {place}");
            }
        }
    }
}
