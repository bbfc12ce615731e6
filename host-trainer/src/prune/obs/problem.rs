//! A matrix with the inputs that it reads.

use anyhow::{Result, ensure};

use crate::prune::linalg::{Mat, Right, Strips, eliminate, product};
use crate::prune::pattern::{BLOCK, Pattern};

/// λ as a share of the mean of A's diagonal: keeps A definite where inputs depend on each other.
const DAMPING: f64 = 0.01;

/// The inputs of a matrix, or of several that read the same.
pub struct Inputs {
    /// `A`.
    pub(super) moments: Mat,
    /// `A⁻¹`.
    pub(super) inverse: Mat,
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
    pub(super) weights: &'a [f32],
    pub(super) pattern: Pattern,
    pub(super) inputs: &'a Inputs,
    /// `A·w₀` of every row `w₀`.
    pub(super) targets: Mat,
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

    pub(super) fn columns(&self) -> usize {
        self.targets.columns
    }

    pub(super) fn blocks(&self) -> usize {
        self.weights.len() / BLOCK
    }

    /// Columns of a block.
    pub(super) fn width(&self) -> usize {
        match self.pattern {
            Pattern::OutputBlock => 1,
            Pattern::InputBlock => BLOCK,
        }
    }

    pub(super) fn row(&self, row: usize) -> Vec<f64> {
        let values = &self.weights[row * self.columns()..(row + 1) * self.columns()];
        values.iter().map(|&w| f64::from(w)).collect()
    }

    /// Σ over inputs of the squared outputs (without bias), the measure of [`Problem::costs`].
    pub fn energy(&self) -> f64 {
        self.weights.iter().zip(&self.targets.values).map(|(&w, target)| f64::from(w) * target).sum()
    }
}
