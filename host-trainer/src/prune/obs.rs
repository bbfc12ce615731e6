//! Second-order pruning: the optimal brain surgeon (Hassibi and Stork 1993) on blocks of a layer, with the
//! layer's own inputs as the measure, as in optimal brain compression (Frantar and Alistarh 2022), SparseGPT
//! (2023) and oBERT (Kurtic et al. 2022).
//!
//! A linear map of inputs `x` changes its outputs by `(w − w₀)ᵀ·A·(w − w₀)` a row, with `A = Σ x·xᵀ + λ·I` over
//! calibration data. The rows that share a block (four of an output block, one of an input block) form a group
//! with one set `K` of kept columns and `P` of pruned ones. For a given `K` the best kept weights are
//! `w_K = A_KK⁻¹ · (A·w₀)_K`; dropping the further columns `Q` costs `w_Qᵀ · (C_QQ)⁻¹ · w_Q` with
//! `C = A_KK⁻¹`. Here both are exact: blocks go in a few stages, in each of them those that cost least over the
//! whole matrix, and costs and weights are computed anew for what is left. (SparseGPT sweeps the columns once
//! and never looks back.)

use core::ops::Range;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;

use super::linalg::{Mat, cholesky, dot, inverse_transposed, solve};
use super::score::{PRUNED, kept};
use crate::ops::vectorized;
use crate::pattern::{BLOCK, Pattern};

/// λ as a share of the mean of A's diagonal: keeps A definite where inputs depend on each other.
const DAMPING: f64 = 0.01;

/// What a stage leaves of the blocks that it found, at least. Costs hold for one block; where inputs depend on
/// each other, several that are cheap alone are dear together.
const STAGE: f64 = 0.85;

/// A matrix to prune, with the second moments of its inputs.
pub struct Problem<'a> {
    weights: &'a [f32],
    columns: usize,
    pattern: Pattern,
    /// `A`.
    moments: Mat,
    /// `A⁻¹`.
    inverse: Mat,
}

/// Rows that share their kept columns.
struct Group {
    rows: Range<usize>,
    /// The number of its first block.
    first: usize,
}

/// The columns of a group, by what becomes of them.
struct Columns {
    kept: Vec<usize>,
    pruned: Vec<usize>,
}

impl<'a> Problem<'a> {
    /// `weights` is `[outputs, columns]`, `moments` is the sum of `x·xᵀ` over inputs, `[columns, columns]`.
    ///
    /// # Errors
    /// Inputs that are all 0 or not finite.
    pub fn new(weights: &'a [f32], columns: usize, pattern: Pattern, moments: Vec<f64>) -> Result<Self> {
        ensure!(moments.len() == columns * columns, "{} moments of {columns} inputs", moments.len());
        let mut moments = Mat { rows: columns, columns, values: moments };
        let mean = (0..columns).map(|i| moments.at(i, i)).sum::<f64>() / columns as f64;
        ensure!(mean > 0.0 && mean.is_finite(), "its calibration inputs are all 0 or not finite");
        (0..columns).for_each(|i| moments.values[i * columns + i] += DAMPING * mean);
        let lower = cholesky(moments.clone()).context("its calibration inputs are not finite")?;
        let columns_of_inverse = inverse_transposed(&lower);
        let mut inverse = Mat::zeros(columns, columns);
        inverse.values.par_chunks_mut(columns).enumerate().for_each(|(i, row)| {
            vectorized(
                #[inline(always)]
                || {
                    for (j, entry) in row.iter_mut().enumerate() {
                        let from = i.max(j);
                        *entry = dot(&columns_of_inverse.row(i)[from..], &columns_of_inverse.row(j)[from..]);
                    }
                },
            );
        });
        Ok(Problem { weights, columns, pattern, moments, inverse })
    }

    fn blocks(&self) -> usize {
        self.weights.len() / BLOCK
    }

    /// Columns of a block.
    fn width(&self) -> usize {
        match self.pattern {
            Pattern::OutputBlock => 1,
            Pattern::InputBlock => BLOCK,
        }
    }

    /// Blocks of a group.
    fn units(&self) -> usize {
        self.columns / self.width()
    }

    fn groups(&self) -> Vec<Group> {
        let height = BLOCK / self.width();
        let count = self.weights.len() / self.columns / height;
        (0..count).map(|g| Group { rows: g * height..(g + 1) * height, first: g * self.units() }).collect()
    }

    fn columns(&self, group: &Group, kept: &[bool]) -> Columns {
        let width = self.width();
        let of = |wanted: bool| {
            let units = (0..self.units()).filter(|unit| kept[group.first + unit] == wanted);
            units.flat_map(|unit| unit * width..(unit + 1) * width).collect()
        };
        Columns { kept: of(true), pruned: of(false) }
    }

    fn row(&self, row: usize) -> Vec<f64> {
        let values = &self.weights[row * self.columns..(row + 1) * self.columns];
        values.iter().map(|&w| f64::from(w)).collect()
    }

    /// What dropping each block costs, given the blocks that are kept so far; the sum over all inputs of the
    /// squared change of the outputs. `PRUNED` for those that are not kept.
    pub fn costs(&self, kept: &[bool]) -> Vec<f32> {
        self.solve(kept, true).1
    }

    /// Σ over inputs of the squared outputs (without bias), the measure of [`Problem::costs`].
    pub fn energy(&self) -> f64 {
        let energy = |row: usize| {
            let weights = self.row(row);
            (0..self.columns).map(|j| weights[j] * dot(self.moments.row(j), &weights)).sum::<f64>()
        };
        (0..self.weights.len() / self.columns).into_par_iter().map(energy).collect::<Vec<_>>().iter().sum()
    }

    /// Drops blocks until `count` are gone, beginning from `before`, and returns the blocks that stay and the
    /// weights, of which those of pruned blocks are exactly 0 and the others make up for them.
    pub fn prune(&self, before: Vec<bool>, count: usize) -> (Vec<bool>, Vec<f32>) {
        let blocks = self.blocks();
        let mut left = before.iter().filter(|kept| **kept).count();
        let target = blocks - count.min(blocks);
        let mut kept_blocks = before;
        while left > target {
            left = ((STAGE * left as f64) as usize).max(target);
            kept_blocks = kept(&self.costs(&kept_blocks), blocks - left);
        }
        let weights = self.solve(&kept_blocks, false).0;
        (kept_blocks, weights)
    }

    /// The best weights for the blocks that are kept and, if asked for, what dropping each of them costs.
    fn solve(&self, kept: &[bool], costs: bool) -> (Vec<f32>, Vec<f32>) {
        let solved: Vec<(Vec<f32>, Vec<f32>)> = self
            .groups()
            .par_iter()
            .map(|group| {
                let columns = self.columns(group, kept);
                if columns.pruned.is_empty() {
                    self.solve_dense(group, costs)
                } else if columns.kept.len() <= columns.pruned.len() {
                    self.solve_by_kept(group, &columns, costs)
                } else {
                    self.solve_by_pruned(group, &columns, costs)
                }
            })
            .collect();
        let (weights, costs): (Vec<_>, Vec<_>) = solved.into_iter().unzip();
        (weights.concat(), costs.concat())
    }

    fn solve_dense(&self, group: &Group, costs: bool) -> (Vec<f32>, Vec<f32>) {
        let rows: Vec<Vec<f64>> = group.rows.clone().map(|row| self.row(row)).collect();
        let all: Vec<usize> = (0..self.columns).collect();
        let costs = costs.then(|| self.group_costs(&rows, &all, |i, j| self.inverse.at(i, j)));
        (rows.concat().iter().map(|&w| w as f32).collect(), costs.unwrap_or_default())
    }

    /// Through the factor of `A_KK`.
    fn solve_by_kept(&self, group: &Group, columns: &Columns, costs: bool) -> (Vec<f32>, Vec<f32>) {
        let keep = &columns.kept;
        // A diagonal part of a definite matrix is definite.
        let Some(lower) = cholesky(self.moments.part(keep)) else { return self.solve_dense(group, costs) };
        let rows: Vec<Vec<f64>> = group
            .rows
            .clone()
            .map(|row| {
                let dense = self.row(row);
                let mut part: Vec<f64> = vectorized(
                    #[inline(always)]
                    || keep.iter().map(|&column| dot(self.moments.row(column), &dense)).collect(),
                );
                solve(&lower, &mut part);
                let mut weights = vec![0.0; self.columns];
                keep.iter().zip(part).for_each(|(&column, w)| weights[column] = w);
                weights
            })
            .collect();
        let costs = costs.then(|| {
            let inverse = inverse_transposed(&lower);
            self.group_costs(&rows, keep, |i, j| {
                let from = i.max(j);
                dot(&inverse.row(i)[from..], &inverse.row(j)[from..])
            })
        });
        (rows.concat().iter().map(|&w| w as f32).collect(), costs.unwrap_or_default())
    }

    /// Through the factor of `(A⁻¹)_PP`, which is smaller while few blocks are pruned:
    /// `w = w₀ − (A⁻¹)_:P · ((A⁻¹)_PP)⁻¹ · w₀_P`, and `C = (A⁻¹)_KK − (A⁻¹)_KP · ((A⁻¹)_PP)⁻¹ · (A⁻¹)_PK`.
    fn solve_by_pruned(&self, group: &Group, columns: &Columns, costs: bool) -> (Vec<f32>, Vec<f32>) {
        let Columns { kept: keep, pruned } = columns;
        let Some(lower) = cholesky(self.inverse.part(pruned)) else { return self.solve_dense(group, costs) };
        let rows: Vec<Vec<f64>> = group
            .rows
            .clone()
            .map(|row| {
                let mut weights = self.row(row);
                let mut lost: Vec<f64> = pruned.iter().map(|&column| weights[column]).collect();
                solve(&lower, &mut lost);
                for (&column, lost) in pruned.iter().zip(lost) {
                    weights.iter_mut().zip(self.inverse.row(column)).for_each(|(w, c)| *w -= lost * c);
                }
                pruned.iter().for_each(|&column| weights[column] = 0.0);
                weights
            })
            .collect();
        let costs = costs.then(|| {
            let halves: Vec<Vec<f64>> = keep
                .iter()
                .map(|&column| {
                    let row = self.inverse.row(column);
                    let mut half: Vec<f64> = pruned.iter().map(|&p| row[p]).collect();
                    forward(&lower, &mut half);
                    half
                })
                .collect();
            self.group_costs(&rows, keep, |i, j| {
                self.inverse.at(keep[i], keep[j]) - dot(&halves[i], &halves[j])
            })
        });
        (rows.concat().iter().map(|&w| w as f32).collect(), costs.unwrap_or_default())
    }

    /// The cost of each block of a group; `inverse` gives `C` by positions in `keep`.
    fn group_costs(
        &self,
        rows: &[Vec<f64>],
        keep: &[usize],
        inverse: impl Fn(usize, usize) -> f64,
    ) -> Vec<f32> {
        let width = self.width();
        let mut costs = vec![PRUNED; self.units()];
        for (unit, columns) in keep.chunks_exact(width).enumerate() {
            let mut part = Mat::zeros(width, width);
            for i in 0..width {
                for j in 0..width {
                    part.values[i * width + j] = inverse(unit * width + i, unit * width + j);
                }
            }
            let Some(lower) = cholesky(part) else { continue };
            let cost = rows.iter().map(|row| {
                let mut block: Vec<f64> = columns.iter().map(|&column| row[column]).collect();
                forward(&lower, &mut block);
                block.iter().map(|w| w * w).sum::<f64>()
            });
            costs[columns[0] / width] = cost.sum::<f64>() as f32;
        }
        costs
    }
}

/// `x` such that `L·x = b`, in place.
fn forward(lower: &Mat, b: &mut [f64]) {
    for i in 0..lower.rows {
        let row = lower.row(i);
        b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::pattern::Blocks;
    use crate::prune::score::{magnitude, mask};

    const COLUMNS: usize = 24;
    const ROWS: usize = 8;

    /// Weights, and the moments of inputs that depend on each other: 24 mixtures of 9 sources, and noise.
    fn layer(seed: u64) -> (Vec<f32>, Vec<f64>) {
        let mut rng = StdRng::seed_from_u64(seed);
        let weights = (0..ROWS * COLUMNS).map(|_| rng.random_range(-1.0..1.0f32)).collect();
        let mix: Vec<f64> = (0..COLUMNS * 9).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut moments = vec![0.0; COLUMNS * COLUMNS];
        for _ in 0..400 {
            let sources: Vec<f64> = (0..9).map(|_| rng.random_range(-1.0..1.0)).collect();
            let x: Vec<f64> = (0..COLUMNS)
                .map(|i| dot(&mix[i * 9..(i + 1) * 9], &sources) + rng.random_range(-0.1..0.1))
                .collect();
            for i in 0..COLUMNS {
                (0..COLUMNS).for_each(|j| moments[i * COLUMNS + j] += x[i] * x[j]);
            }
        }
        (weights, moments)
    }

    /// Σ over inputs of the squared change of the outputs.
    fn error(problem: &Problem<'_>, weights: &[f32]) -> f64 {
        let change: Vec<f32> = weights.iter().zip(problem.weights).map(|(a, b)| a - b).collect();
        Problem { weights: &change, moments: problem.moments.clone(), inverse: Mat::zeros(0, 0), ..*problem }
            .energy()
    }

    #[test]
    fn reconstruction_is_better_than_by_magnitude() -> Result<()> {
        for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
            // Errors as shares of that of plain magnitude pruning: by cost, and by magnitude but made up for.
            let mut total = [0.0; 2];
            for seed in 0..4 {
                let (weights, moments) = layer(seed);
                let problem = Problem::new(&weights, COLUMNS, pattern, moments)?;
                let blocks = problem.blocks();
                for count in [blocks / 4, blocks / 2, 3 * blocks / 4] {
                    let (kept_blocks, pruned) = problem.prune(vec![true; blocks], count);
                    assert_eq!(kept_blocks.iter().filter(|kept| !**kept).count(), count);
                    let mask_of = |kept: &[bool]| mask(kept, COLUMNS, pattern);
                    assert!(
                        mask_of(&kept_blocks).iter().zip(&pruned).all(|(m, w)| *m == 1.0 || *w == 0.0),
                        "a pruned weight is not 0"
                    );
                    let by_magnitude = kept(&magnitude(&weights, COLUMNS, pattern), count);
                    let mask = mask_of(&by_magnitude);
                    let plain: Vec<f32> = weights.iter().zip(&mask).map(|(w, m)| w * m).collect();
                    let made_up = problem.solve(&by_magnitude, false).0;
                    let errors = [&pruned, &made_up, &plain].map(|weights| error(&problem, weights));
                    assert!(errors[1] < 0.8 * errors[2], "{pattern}, {count} of {blocks}: {errors:?}");
                    total[0] += errors[0] / errors[2];
                    total[1] += errors[1] / errors[2];
                }
            }
            assert!(total[0] < 0.8 * total[1], "{pattern}: {total:?}");
        }
        Ok(())
    }

    #[test]
    fn both_ways_to_solve_agree_and_costs_are_what_dropping_costs() -> Result<()> {
        for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
            let (weights, moments) = layer(7);
            let problem = Problem::new(&weights, COLUMNS, pattern, moments)?;
            let kept_blocks: Vec<bool> = (0..problem.blocks()).map(|block| block % 5 < 3).collect();
            for group in problem.groups() {
                let columns = problem.columns(&group, &kept_blocks);
                let by_kept = problem.solve_by_kept(&group, &columns, true);
                let by_pruned = problem.solve_by_pruned(&group, &columns, true);
                for (a, b) in [(&by_kept.0, &by_pruned.0), (&by_kept.1, &by_pruned.1)] {
                    assert!(a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() <= 1e-4 * a.abs().max(1.0)));
                }
            }
            let (before, costs) = problem.solve(&kept_blocks, true);
            for block in (0..problem.blocks()).filter(|&block| kept_blocks[block]).step_by(5) {
                let mut fewer = kept_blocks.clone();
                fewer[block] = false;
                let after = problem.solve(&fewer, false).0;
                let grown = error(&problem, &after) - error(&problem, &before);
                assert!(
                    (grown - f64::from(costs[block])).abs() < 1e-3 * grown.max(0.1),
                    "{pattern}, block {block}: {grown}, foretold {}",
                    costs[block]
                );
                assert!(pattern.places(block, COLUMNS).iter().all(|&at| after[at] == 0.0));
            }
            assert!(costs.iter().zip(&kept_blocks).all(|(cost, kept)| *kept == (*cost != PRUNED)));
        }
        Ok(())
    }

    #[test]
    fn inputs_that_say_nothing_are_refused() {
        let weights = [1.0; 16];
        assert!(Problem::new(&weights, 4, Pattern::InputBlock, vec![0.0; 16]).is_err());
        assert!(Problem::new(&weights, 4, Pattern::InputBlock, vec![f64::NAN; 16]).is_err());
        assert!(Problem::new(&weights, 4, Pattern::InputBlock, vec![0.0; 9]).is_err());
    }
}
