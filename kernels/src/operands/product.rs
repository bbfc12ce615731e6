//! Operands of the products with block-sparse matrices.

use core::ops::Range;

use super::{Checked, Lanes, ShapeError, ensure, has_len};
use crate::matrix::{InputBlock, OutputBlock};

/// What becomes of a product's value `y = (acc · x_scale) · w_scale + bias` on its way to the output.
#[derive(Debug)]
pub enum Epilogue<'a> {
    /// `out = y`.
    Store,
    /// `out = out · smoothing[row] + y`: the residual connection, in place.
    Add {
        /// One value per output row, 1 where the residual stream holds the plain value: what LayerNorm's result was
        /// divided by to be quantized better.
        smoothing: &'a [f32],
    },
    /// [`Epilogue::Add`] where `x` is on the affine grid of [`crate::Kernels::quantize_gelu_rows`]: `acc` becomes
    /// `acc + zero_points[lane] · row_sums[row]` first, exactly.
    AddAffine {
        /// As for [`Epilogue::Add`].
        smoothing: &'a [f32],
        /// [`crate::math::gelu_zero_point`] of each lane's scale.
        zero_points: &'a [i32],
    },
    /// `out = y`, and `max[lane] = max(y, max[lane])`: what [`crate::Kernels::quantize_gelu_rows`] takes.
    Max {
        /// One value per lane; the caller starts it at 0.
        max: &'a mut [f32],
    },
}

/// Operands of a product with some strips of a matrix, `M`.
///
/// `strips` are in order and strips of the matrix. `x_scales` has `lanes` elements, `out` a row of `lanes` elements for
/// each of the 4 rows of each strip; the epilogue has a factor for each of these rows, and a zero point or a largest value for each lane.
/// `x` holds all columns of the matrix: see the aliases.
#[derive(Debug)]
pub struct ProductOperands<'a, M> {
    pub(crate) matrix: &'a M,
    pub(crate) strips: Range<usize>,
    pub(crate) x: &'a [i8],
    pub(crate) x_scales: &'a [f32],
    pub(crate) epilogue: Epilogue<'a>,
    pub(crate) out: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

/// `x`: a row of [`Lanes::of_row`] bytes for each column.
pub type OutputBlockOperands<'a> = ProductOperands<'a, OutputBlock<'a>>;

/// `x`: a row of `lanes` quads for each 4 columns.
pub type InputBlockOperands<'a> = ProductOperands<'a, InputBlock<'a>>;

impl<'a> OutputBlockOperands<'a> {
    pub(crate) fn check(
        matrix: &'a OutputBlock<'a>,
        strips: Range<usize>,
        x: &'a [i8],
        x_scales: &'a [f32],
        epilogue: Epilogue<'a>,
        out: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = check_rows(matrix.rows(), &strips, x_scales, &epilogue, out)?;
        has_len(x, [matrix.cols(), lanes.of_row()])?;
        Ok(Self { matrix, strips, x, x_scales, epilogue, out, lanes, _checked: Checked })
    }
}

impl<'a> InputBlockOperands<'a> {
    pub(crate) fn check(
        matrix: &'a InputBlock<'a>,
        strips: Range<usize>,
        x: &'a [i8],
        x_scales: &'a [f32],
        epilogue: Epilogue<'a>,
        out: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = check_rows(matrix.rows(), &strips, x_scales, &epilogue, out)?;
        has_len(x, [matrix.cols(), lanes.get()])?;
        Ok(Self { matrix, strips, x, x_scales, epilogue, out, lanes, _checked: Checked })
    }
}

/// Everything but `x`, which both patterns have in common.
fn check_rows(
    rows: usize,
    strips: &Range<usize>,
    x_scales: &[f32],
    epilogue: &Epilogue<'_>,
    out: &[f32],
) -> Result<Lanes, ShapeError> {
    let lanes = Lanes::new(x_scales.len())?;
    ensure(strips.start <= strips.end && strips.end <= rows / 4)?;
    has_len(out, [4, strips.len(), lanes.get()])?;
    match epilogue {
        Epilogue::Store => Ok(lanes),
        Epilogue::Add { smoothing } => has_len(smoothing, [4, strips.len()]).map(|()| lanes),
        Epilogue::AddAffine { smoothing, zero_points } => {
            has_len(smoothing, [4, strips.len()])?;
            has_len(zero_points, [lanes.get()]).map(|()| lanes)
        }
        Epilogue::Max { max } => has_len(max, [lanes.get()]).map(|()| lanes),
    }
}
