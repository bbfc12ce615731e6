//! The step length of a grid, and a value on it.

use blockspan_kernels::{math, scalar};

/// Whose grid. All are multiples of a step, absmax ↦ ±127 but for GELU's, and round half to even; the first two differ in
/// the last bit of a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grid {
    /// As `pack` rounds a row of weights.
    Weights,
    /// As the engine rounds activations while it runs.
    Activations,
    /// As it rounds those that come out of GELU: 254 steps from GELU's smallest value to absmax, which is at least as far
    /// from 0.
    Gelu,
}

impl Grid {
    /// Steps in one, and the length of a step; 0 and 0 for what counts as all zero.
    #[inline(always)]
    pub(crate) fn scale(self, absmax: f32) -> (f32, f32) {
        match self {
            Grid::Weights => {
                // A row so small that its step is denormal counts as zero.
                let scale = absmax / 127.0;
                if scale >= f32::MIN_POSITIVE { (1.0 / scale, scale) } else { (0.0, 0.0) }
            }
            Grid::Activations => {
                let scale = scalar::scale(absmax);
                (if scale > 0.0 { 127.0 / absmax } else { 0.0 }, scale)
            }
            Grid::Gelu => Grid::Activations.scale((absmax.max(math::GELU_HUMP) + math::GELU_HUMP) * 0.5),
        }
    }
}

/// The value of the grid that is nearest to `x`, given what [`Grid::scale`] returned.
#[inline(always)]
pub(crate) fn round(x: f32, (inverse, scale): (f32, f32)) -> f32 {
    (x * inverse).round_ties_even() * scale
}
