//! Operands of quantization per channel.

use core::num::NonZeroUsize;

use super::{Checked, Lanes, ShapeError, ensure, has_len, has_rows};
use crate::layout::TILE;

/// Operands of [`crate::Kernels::channel_absmax`]: `x` has a row of `lanes` elements for each element of `absmax`, of
/// which the first `tokens` hold tokens.
#[derive(Debug)]
pub struct ChannelAbsmaxOperands<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) tokens: usize,
    pub(crate) absmax: &'a mut [f32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> ChannelAbsmaxOperands<'a> {
    pub(crate) fn check(x: &'a [f32], tokens: usize, absmax: &'a mut [f32]) -> Result<Self, ShapeError> {
        let lanes = check_tile(x, tokens, absmax.len())?;
        Ok(Self { x, tokens, absmax, lanes, _checked: Checked })
    }
}

/// Operands of [`crate::Kernels::quantize_channels`].
///
/// `x` has a row of `lanes` elements for each element of `absmax` and of `sums`, of which the first `tokens` hold tokens.
/// `out` has as many rows of `lanes` bytes, `stride` apart.
#[derive(Debug)]
pub struct QuantizeChannelsOperands<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) tokens: usize,
    pub(crate) absmax: &'a [f32],
    pub(crate) out: &'a mut [i8],
    pub(crate) stride: NonZeroUsize,
    pub(crate) sums: &'a mut [i32],
    pub(crate) lanes: Lanes,
    _checked: Checked,
}

impl<'a> QuantizeChannelsOperands<'a> {
    pub(crate) fn check(
        x: &'a [f32],
        tokens: usize,
        absmax: &'a [f32],
        out: &'a mut [i8],
        stride: usize,
        sums: &'a mut [i32],
    ) -> Result<Self, ShapeError> {
        let lanes = check_tile(x, tokens, absmax.len())?;
        has_len(sums, [absmax.len()])?;
        has_rows(out, absmax.len(), stride, lanes.get())?;
        let stride = NonZeroUsize::new(stride).ok_or(ShapeError)?;
        Ok(Self { x, tokens, absmax, out, stride, sums, lanes, _checked: Checked })
    }
}

/// The lanes of a tile with as many channels.
fn check_tile(x: &[f32], tokens: usize, channels: usize) -> Result<Lanes, ShapeError> {
    // Of no channels, any number of lanes.
    let lanes = Lanes::new(x.len().checked_div(channels).unwrap_or(TILE))?;
    has_len(x, [channels, lanes.get()])?;
    ensure(tokens <= lanes.get())?;
    Ok(lanes)
}
