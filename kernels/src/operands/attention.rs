//! Operands of the attention: scores, softmax and context.

use super::{Checked, Lanes, ShapeError, ensure, has_len, has_rows};
use crate::matrix::MAX_DIM;

/// Dense int8 rows: keys, or values by channel.
#[derive(Clone, Copy, Debug)]
pub struct DenseRows<'a> {
    /// Row `r` is `values[r · stride ..][.. cols]`, each in [−127, 127].
    pub values: &'a [i8],
    /// Distance between rows, at least `cols`.
    pub stride: usize,
    /// Inputs of the product, a multiple of 4 up to [`MAX_DIM`].
    pub cols: usize,
    /// Sum of each row's `cols` values; its length is the number of rows.
    pub sums: &'a [i32],
    /// Scale of each row.
    pub scales: &'a [f32],
}

impl DenseRows<'_> {
    /// What every product with them demands of the rows, and of `x`: `cols / 4` rows of quads. The lanes are as many as
    /// the scales.
    fn check<T>(&self, x: &[T], x_scales: &[f32]) -> Result<Lanes, ShapeError> {
        let lanes = Lanes::new(x_scales.len())?;
        ensure(self.cols.is_multiple_of(4) && self.cols <= MAX_DIM)?;
        has_len(self.scales, [self.sums.len()])?;
        has_rows(self.values, self.sums.len(), self.stride, self.cols)?;
        has_len(x, [self.cols, lanes.get()])?;
        Ok(lanes)
    }
}

/// Operands of [`crate::Kernels::scores`].
///
/// `rows` is as its fields say. `x_scales` has `lanes` elements, `x` a row of `lanes` quads for each 4 columns, `max`
/// [`Lanes::of_scores`] elements and `out` as many for each row.
#[derive(Debug)]
pub struct ScoresOperands<'a> {
    pub(crate) rows: &'a DenseRows<'a>,
    pub(crate) x: &'a [i8],
    pub(crate) x_scales: &'a [f32],
    pub(crate) max: &'a mut [i16],
    pub(crate) out: &'a mut [i16],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> ScoresOperands<'a> {
    pub(crate) fn check(
        rows: &'a DenseRows<'a>,
        x: &'a [i8],
        x_scales: &'a [f32],
        max: &'a mut [i16],
        out: &'a mut [i16],
    ) -> Result<Self, ShapeError> {
        let lanes = rows.check(x, x_scales)?;
        has_len(max, [lanes.of_scores()])?;
        has_len(out, [rows.sums.len(), lanes.of_scores()])?;
        Ok(Self { rows, x, x_scales, max, out, lanes, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::context`].
///
/// `rows` is as its fields say. `x_scales` has `lanes` elements, `x` a row of `lanes` quads for each 4 columns, `out` a
/// row of `lanes` elements for each row.
#[derive(Debug)]
pub struct ContextOperands<'a> {
    pub(crate) rows: &'a DenseRows<'a>,
    pub(crate) x: &'a [u8],
    pub(crate) x_scales: &'a [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> ContextOperands<'a> {
    pub(crate) fn check(
        rows: &'a DenseRows<'a>,
        x: &'a [u8],
        x_scales: &'a [f32],
        out: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = rows.check(x, x_scales)?;
        has_len(out, [rows.sums.len(), lanes.get()])?;
        Ok(Self { rows, x, x_scales, out, lanes, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::softmax`].
///
/// `scales` has `lanes` elements, `max` [`Lanes::of_scores`] and `scores` as many for each key; `out` has a row of
/// `lanes` quads for each 4 keys, begun ones included.
#[derive(Debug)]
pub struct SoftmaxOperands<'a> {
    pub(crate) scores: &'a [i16],
    pub(crate) max: &'a [i16],
    pub(crate) out: &'a mut [u8],
    pub(crate) scales: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> SoftmaxOperands<'a> {
    pub(crate) fn check(
        scores: &'a [i16],
        max: &'a [i16],
        out: &'a mut [u8],
        scales: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(scales.len())?;
        let keys = scores.len() / lanes.of_scores();
        has_len(max, [lanes.of_scores()])?;
        has_len(scores, [keys, lanes.of_scores()])?;
        has_len(out, [keys.div_ceil(4), 4, lanes.get()])?;
        Ok(Self { scores, max, out, scales, lanes, _checked: Checked })
    }
}
