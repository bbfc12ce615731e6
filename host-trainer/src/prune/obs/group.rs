//! The rows that share their kept columns, solved together.

use core::ops::Range;

use super::problem::Problem;
use crate::ops::vectorized;
use crate::prune::linalg::{Mat, Right, eliminate, inverse_form, solve_upper};
use crate::prune::pattern::BLOCK;
use crate::prune::score::PRUNED;

/// Rows that share their kept columns: four of output blocks, one of input blocks.
pub(super) struct Group<'a> {
    problem: &'a Problem<'a>,
    rows: Range<usize>,
    kept: Vec<usize>,
    pruned: Vec<usize>,
}

impl<'a> Group<'a> {
    pub(super) fn count(problem: &Problem<'_>) -> usize {
        problem.blocks() / (problem.columns() / problem.width())
    }

    /// The group of this number, from 0; `kept` says of every block of the matrix whether it stays.
    pub(super) fn new(problem: &'a Problem<'a>, number: usize, kept: &[bool]) -> Self {
        let width = problem.width();
        let (height, units) = (BLOCK / width, problem.columns() / width);
        let blocks = &kept[number * units..(number + 1) * units];
        let columns = |wanted: bool| {
            let units = (0..units).filter(|&unit| blocks[unit] == wanted);
            units.flat_map(|unit| unit * width..(unit + 1) * width).collect()
        };
        let rows = number * height..(number + 1) * height;
        Group { problem, rows, kept: columns(true), pruned: columns(false) }
    }

    /// The weights of the rows and, if asked for, the cost of every block.
    pub(super) fn solve(&self, costs: bool) -> (Vec<f32>, Vec<f32>) {
        // Multiplications; the inverse of A_KK takes as many as its factor.
        let (kept, pruned) = (self.kept.len() as f64, self.pruned.len() as f64);
        let by_kept = kept.powi(3) / if costs { 3.0 } else { 6.0 };
        let by_pruned = pruned.powi(3) / 6.0 + if costs { kept * pruned.powi(2) / 2.0 } else { 0.0 };
        let solved = if self.pruned.is_empty() {
            None
        } else if by_kept <= by_pruned {
            self.solve_by_kept(costs)
        } else {
            self.solve_by_pruned(costs)
        };
        // A diagonal part of a definite matrix is definite: no factor is missing but for rounding.
        solved.unwrap_or_else(|| self.solve_dense(costs))
    }

    fn solve_dense(&self, costs: bool) -> (Vec<f32>, Vec<f32>) {
        let rows: Vec<Vec<f64>> = self.rows.clone().map(|row| self.problem.row(row)).collect();
        let all: Vec<usize> = (0..self.problem.columns()).collect();
        let costs = costs.then(|| self.costs(&rows, &all, |i, j| self.problem.inputs.inverse.at(i, j)));
        (narrow(&rows), costs.unwrap_or_default())
    }

    /// Through `[A_KK | (A·w₀)_K | I]`.
    pub(super) fn solve_by_kept(&self, costs: bool) -> Option<(Vec<f32>, Vec<f32>)> {
        let (kept, sides) = (&self.kept, self.rows.len());
        let n = kept.len();
        let mut m = Mat::zeros(n, n + sides + if costs { n } else { 0 });
        for (i, &row) in kept.iter().enumerate() {
            let (moments, place) = (self.problem.inputs.moments.row(row), m.row_mut(i));
            gather(&mut place[i..n], moments, &kept[i..]);
            for (side, number) in self.rows.clone().enumerate() {
                place[n + side] = self.problem.targets.at(number, row);
            }
            if costs {
                place[n + sides + i] = 1.0;
            }
        }
        if !eliminate(&mut m, if costs { Right::ThenIdentity } else { Right::Dense }) {
            return None;
        }
        let rows: Vec<Vec<f64>> = (0..sides)
            .map(|side| {
                let mut weights = vec![0.0; self.problem.columns()];
                kept.iter().zip(back(&m, n + side)).for_each(|(&column, w)| weights[column] = w);
                weights
            })
            .collect();
        let costs = costs.then(|| {
            let inverse = products(&m, n + sides, self.problem.width());
            self.costs(&rows, kept, |i, j| inverse[j - i][i])
        });
        Some((narrow(&rows), costs.unwrap_or_default()))
    }

    /// Through `[(A⁻¹)_PP | w₀_P | (A⁻¹)_PK]`, which is less work while few blocks are pruned:
    /// `w = w₀ − (A⁻¹)_:P · ((A⁻¹)_PP)⁻¹ · w₀_P`, and `C = (A⁻¹)_KK − (A⁻¹)_KP · ((A⁻¹)_PP)⁻¹ · (A⁻¹)_PK`.
    pub(super) fn solve_by_pruned(&self, costs: bool) -> Option<(Vec<f32>, Vec<f32>)> {
        let (kept, pruned, sides) = (&self.kept, &self.pruned, self.rows.len());
        let n = pruned.len();
        let inverse = &self.problem.inputs.inverse;
        let mut rows: Vec<Vec<f64>> = self.rows.clone().map(|row| self.problem.row(row)).collect();
        let mut m = Mat::zeros(n, n + sides + if costs { kept.len() } else { 0 });
        for (i, &row) in pruned.iter().enumerate() {
            let (inverse, place) = (inverse.row(row), m.row_mut(i));
            gather(&mut place[i..n], inverse, &pruned[i..]);
            place[n..n + sides].iter_mut().zip(&rows).for_each(|(place, weights)| *place = weights[row]);
            if costs {
                gather(&mut place[n + sides..], inverse, kept);
            }
        }
        if !eliminate(&mut m, Right::Dense) {
            return None;
        }
        for (side, weights) in rows.iter_mut().enumerate() {
            let lost = back(&m, n + side);
            for (&column, lost) in pruned.iter().zip(lost) {
                weights.iter_mut().zip(inverse.row(column)).for_each(|(w, c)| *w -= lost * c);
            }
            pruned.iter().for_each(|&column| weights[column] = 0.0);
        }
        let costs = costs.then(|| {
            let products = products(&m, n + sides, self.problem.width());
            self.costs(&rows, kept, |i, j| inverse.at(kept[i], kept[j]) - products[j - i][i])
        });
        Some((narrow(&rows), costs.unwrap_or_default()))
    }

    /// The cost of each block; `inverse` gives `C` by positions in `kept`, where both lie in one block and the
    /// first is not after the second.
    fn costs(&self, rows: &[Vec<f64>], kept: &[usize], inverse: impl Fn(usize, usize) -> f64) -> Vec<f32> {
        let width = self.problem.width();
        let mut costs = vec![PRUNED; self.problem.columns() / width];
        for (unit, columns) in kept.chunks_exact(width).enumerate() {
            let mut part = [[0.0; BLOCK]; BLOCK];
            for (i, row) in part.iter_mut().enumerate().take(width) {
                for (j, value) in row.iter_mut().enumerate().take(width).skip(i) {
                    *value = inverse(unit * width + i, unit * width + j);
                }
            }
            let cost = rows.iter().map(|row| {
                let mut block = [0.0; BLOCK];
                block.iter_mut().zip(columns).for_each(|(place, &column)| *place = row[column]);
                inverse_form(part, block, width)
            });
            // Where rounding leaves no definite part, nothing says what the block is worth: it goes first.
            if let Some(cost) = cost.sum::<Option<f64>>() {
                costs[columns[0] / width] = cost as f32;
            }
        }
        costs
    }
}

/// The values of a row at these columns.
fn gather(place: &mut [f64], row: &[f64], columns: &[usize]) {
    place.iter_mut().zip(columns).for_each(|(place, &column)| *place = row[column]);
}

/// `U⁻¹` times a column of what [`eliminate`] left.
fn back(m: &Mat, column: usize) -> Vec<f64> {
    let mut values: Vec<f64> = (0..m.rows).map(|row| m.at(row, column)).collect();
    solve_upper(m, &mut values);
    values
}

/// `Σ over rows of x[i]·x[i + s]` at `[s][i]` for `s` below `width`, of the columns `x` from `first` on.
fn products(m: &Mat, first: usize, width: usize) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![0.0; m.columns - first]; width];
    vectorized(
        #[inline(always)]
        || {
            for row in (0..m.rows).map(|row| &m.row(row)[first..]) {
                for (shift, sums) in sums.iter_mut().enumerate() {
                    let pairs = row.iter().zip(&row[shift..]);
                    sums.iter_mut().zip(pairs).for_each(|(sum, (a, b))| *sum += a * b);
                }
            }
        },
    );
    sums
}

fn narrow(rows: &[Vec<f64>]) -> Vec<f32> {
    rows.iter().flatten().map(|&w| w as f32).collect()
}
