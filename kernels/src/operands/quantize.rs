//! Operands of quantization per token.

use core::num::NonZeroUsize;

use super::{Checked, Lanes, ShapeError, ensure, has_len};

/// Operands of [`crate::Kernels::absmax`]: `x` has rows of `lanes` elements, `absmax` one.
#[derive(Debug)]
pub struct AbsmaxOperands<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) absmax: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> AbsmaxOperands<'a> {
    pub(crate) fn check(x: &'a [f32], absmax: &'a mut [f32]) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(absmax.len())?;
        rows_of(x, lanes)?;
        Ok(Self { x, absmax, lanes, _checked: Checked })
    }
}

/// Operands of quantization to rows, or to quads if `QUADS`; for GELU, `absmax` holds the largest values.
///
/// `x` has rows of `lanes` elements, `absmax` and `scales` one; `out`: see the aliases.
#[derive(Debug)]
pub struct QuantizeOperands<'a, const QUADS: bool> {
    pub(crate) x: &'a [f32],
    pub(crate) absmax: &'a [f32],
    pub(crate) out: &'a mut [i8],
    pub(crate) scales: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

/// Of [`crate::Kernels::quantize_rows`] and [`crate::Kernels::quantize_gelu_rows`]. `out` has as many rows as `x`, of
/// [`Lanes::of_row`] bytes.
pub type QuantizeRowsOperands<'a> = QuantizeOperands<'a, false>;

/// Of [`crate::Kernels::quantize_quads`] and [`crate::Kernels::quantize_gelu_quads`]. `out` has as many bytes as `x` has
/// elements; the number of rows is a multiple of 4.
pub type QuantizeQuadsOperands<'a> = QuantizeOperands<'a, true>;

impl<'a, const QUADS: bool> QuantizeOperands<'a, QUADS> {
    pub(crate) fn check(
        x: &'a [f32],
        absmax: &'a [f32],
        out: &'a mut [i8],
        scales: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(absmax.len())?;
        let features = rows_of(x, lanes)?;
        ensure(!QUADS || features.is_multiple_of(4))?;
        has_len(scales, [lanes.get()])?;
        has_len(out, [features, if QUADS { lanes.get() } else { lanes.of_row() }])?;
        Ok(Self { x, absmax, out, scales, lanes, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::quantize_tokens`].
///
/// `x` has `features` rows of `lanes` elements, `out` `lanes` rows of `features` bytes; `absmax`, `scales` and `sums` have
/// `lanes` elements.
#[derive(Debug)]
pub struct QuantizeTokensOperands<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) absmax: &'a [f32],
    pub(crate) out: &'a mut [i8],
    pub(crate) scales: &'a mut [f32],
    pub(crate) sums: &'a mut [i32],
    pub(crate) lanes: Lanes,
    pub(crate) features: NonZeroUsize,
    _checked: Checked,
}

impl<'a> QuantizeTokensOperands<'a> {
    pub(crate) fn check(
        x: &'a [f32],
        absmax: &'a [f32],
        out: &'a mut [i8],
        scales: &'a mut [f32],
        sums: &'a mut [i32],
    ) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(absmax.len())?;
        let features = NonZeroUsize::new(rows_of(x, lanes)?).ok_or(ShapeError)?;
        has_len(scales, [lanes.get()])?;
        has_len(sums, [lanes.get()])?;
        has_len(out, [features.get(), lanes.get()])?;
        Ok(Self { x, absmax, out, scales, sums, lanes, features, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::arrange_rows`]: `rows` are whole rows of [`Lanes::of_row`] bytes.
#[derive(Debug)]
pub struct ArrangeRowsOperands<'a> {
    pub(crate) lanes: Lanes,
    pub(crate) rows: &'a mut [i8],
    _checked: Checked,
}

impl<'a> ArrangeRowsOperands<'a> {
    pub(crate) fn check(lanes: usize, rows: &'a mut [i8]) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(lanes)?;
        ensure(rows.len().is_multiple_of(lanes.of_row()))?;
        Ok(Self { lanes, rows, _checked: Checked })
    }
}

/// How many rows of `lanes` elements `x` is.
fn rows_of(x: &[f32], lanes: Lanes) -> Result<usize, ShapeError> {
    ensure(x.len().is_multiple_of(lanes.get()))?;
    Ok(x.len() / lanes.get())
}
