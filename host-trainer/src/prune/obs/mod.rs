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

mod group;
#[cfg(test)]
mod tests;

use anyhow::{Result, ensure};
use rayon::prelude::*;

use self::group::Group;
use super::linalg::{Mat, Right, Strips, eliminate, product};
use super::score::kept;
use crate::prune::pattern::{BLOCK, Pattern};

/// λ as a share of the mean of A's diagonal: keeps A definite where inputs depend on each other.
const DAMPING: f64 = 0.01;

/// What a stage leaves of the blocks that it found, at least. Costs hold for one block; where inputs depend on
/// each other, several that are cheap alone are dear together.
const STAGE: f64 = 0.85;

/// The inputs of a matrix, or of several that read the same.
pub struct Inputs {
    /// `A`.
    moments: Mat,
    /// `A⁻¹`.
    inverse: Mat,
}

impl Inputs {
    /// `moments` is the sum of `x·xᵀ` over inputs `x` of `columns` values, `[columns, columns]`.
    ///
    /// # Errors
    /// Inputs that are all 0 or not finite.
    pub fn new(columns: usize, moments: Vec<f64>) -> Result<Self> {
        ensure!(moments.len() == columns * columns, "{} moments of {columns} inputs", moments.len());
        let mut moments = Mat { rows: columns, columns, values: moments };
        let mean = (0..columns).map(|i| moments.at(i, i)).sum::<f64>() / columns as f64;
        ensure!(mean > 0.0 && mean.is_finite(), "its calibration inputs are all 0 or not finite");
        (0..columns).for_each(|i| moments.row_mut(i)[i] += DAMPING * mean);
        let mut root = Mat::zeros(columns, 2 * columns);
        for i in 0..columns {
            root.row_mut(i)[i..columns].copy_from_slice(&moments.row(i)[i..]);
            root.row_mut(i)[columns + i] = 1.0;
        }
        ensure!(eliminate(&mut root, Right::ThenIdentity), "its calibration inputs are not finite");
        // A⁻¹ = Xᵀ·X with the lower triangular X = U⁻ᵀ.
        let root = Strips::new(columns, columns, |row, column| root.at(row, columns + column));
        let inverse = product(&root, &root, |i, j| i.max(j));
        Ok(Inputs { moments, inverse })
    }
}

/// A matrix to prune.
pub struct Problem<'a> {
    weights: &'a [f32],
    pattern: Pattern,
    inputs: &'a Inputs,
    /// `A·w₀` of every row `w₀`.
    targets: Mat,
}

impl<'a> Problem<'a> {
    /// `weights` is `[outputs, columns]` with the columns of `inputs`; the pattern's blocks divide it.
    pub fn new(weights: &'a [f32], pattern: Pattern, inputs: &'a Inputs) -> Self {
        let columns = inputs.moments.columns;
        let rows = Strips::new(columns, weights.len() / columns, |column, row| {
            f64::from(weights[row * columns + column])
        });
        let moments = Strips::new(columns, columns, |row, column| inputs.moments.at(row, column));
        Problem { weights, pattern, inputs, targets: product(&rows, &moments, |_, _| 0) }
    }

    fn columns(&self) -> usize {
        self.targets.columns
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

    fn row(&self, row: usize) -> Vec<f64> {
        let values = &self.weights[row * self.columns()..(row + 1) * self.columns()];
        values.iter().map(|&w| f64::from(w)).collect()
    }

    /// What dropping each block costs, given the blocks that are kept so far; the sum over all inputs of the
    /// squared change of the outputs. `PRUNED` for those that are not kept.
    pub fn costs(&self, kept: &[bool]) -> Vec<f32> {
        self.solve(kept, true).1
    }

    /// Σ over inputs of the squared outputs (without bias), the measure of [`Problem::costs`].
    pub fn energy(&self) -> f64 {
        self.weights.iter().zip(&self.targets.values).map(|(&w, target)| f64::from(w) * target).sum()
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
        let solved: Vec<(Vec<f32>, Vec<f32>)> = (0..Group::count(self))
            .into_par_iter()
            .map(|number| Group::new(self, number, kept).solve(costs))
            .collect();
        let (weights, costs): (Vec<_>, Vec<_>) = solved.into_iter().unzip();
        (weights.concat(), costs.concat())
    }
}
