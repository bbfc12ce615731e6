//! Symmetric int8: per token, and per channel.

use super::{check_lanes, ensure};
use crate::ShapeError;
use crate::layout::{TILE, row_lanes};
use crate::math;

/// Below this a token counts as all zero, so that 127 / absmax stays finite.
pub(crate) const SMALLEST_ABSMAX: f32 = 1e-30;

/// 127 / absmax, or 0 for a token of zeros (or one whose absmax is not finite).
#[inline]
pub(crate) fn inverse_scale(absmax: f32) -> f32 {
    if absmax > SMALLEST_ABSMAX && absmax < f32::INFINITY { 127.0 / absmax } else { 0.0 }
}

/// absmax / 127; 0 for a token of zeros or one whose absmax is not finite.
#[inline]
pub fn scale(absmax: f32) -> f32 {
    if absmax > SMALLEST_ABSMAX && absmax < f32::INFINITY { absmax * (1.0 / 127.0) } else { 0.0 }
}

/// See [`crate::Kernels::absmax`].
pub fn absmax(x: &[f32], absmax: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_lanes(absmax.len())?;
    ensure(x.len().is_multiple_of(lanes))?;
    absmax.fill(0.0);
    for row in x.chunks_exact(lanes) {
        for (most, &x) in absmax.iter_mut().zip(row) {
            *most = math::max(math::abs(x), *most);
        }
    }
    Ok(())
}

/// See [`crate::Kernels::quantize_rows`].
pub fn quantize_rows(
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    rows(x, absmax, out, scales, |x| x)
}

/// See [`crate::Kernels::quantize_gelu_rows`].
pub fn quantize_gelu_rows(
    x: &[f32],
    most: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    rows(x, of_gelu(most).get(..most.len()).unwrap_or_default(), out, scales, math::gelu)
}

fn rows(
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
    value: impl Fn(f32) -> f32,
) -> Result<(), ShapeError> {
    let lanes = check_quantize_rows(x, absmax, out, scales)?;
    for (row, out) in x.chunks_exact(lanes).zip(out.chunks_exact_mut(row_lanes(lanes))) {
        for ((out, &x), &absmax) in out.iter_mut().zip(row).zip(absmax) {
            *out = math::round_to_i8(value(x) * inverse_scale(absmax));
        }
    }
    scales.iter_mut().zip(absmax).for_each(|(s, &absmax)| *s = scale(absmax));
    Ok(())
}

/// See [`crate::Kernels::quantize_quads`].
pub fn quantize_quads(
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    quads(x, absmax, out, scales, |x| x)
}

/// See [`crate::Kernels::quantize_gelu_quads`].
pub fn quantize_gelu_quads(
    x: &[f32],
    most: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
) -> Result<(), ShapeError> {
    quads(x, of_gelu(most).get(..most.len()).unwrap_or_default(), out, scales, math::gelu)
}

fn quads(
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
    value: impl Fn(f32) -> f32,
) -> Result<(), ShapeError> {
    let lanes = check_quantize(x, absmax, out, scales)?;
    ensure(x.len().is_multiple_of(4 * lanes))?;
    for (rows, out) in x.chunks_exact(4 * lanes).zip(out.chunks_exact_mut(4 * lanes)) {
        for (feature, row) in rows.chunks_exact(lanes).enumerate() {
            for ((quad, &x), &absmax) in out.chunks_exact_mut(4).zip(row).zip(absmax) {
                if let Some(slot) = quad.get_mut(feature) {
                    *slot = math::round_to_i8(value(x) * inverse_scale(absmax));
                }
            }
        }
    }
    scales.iter_mut().zip(absmax).for_each(|(s, &absmax)| *s = scale(absmax));
    Ok(())
}

/// [`math::gelu_absmax`] of each lane.
fn of_gelu(most: &[f32]) -> [f32; TILE] {
    let mut absmax = [0f32; TILE];
    absmax.iter_mut().zip(most).for_each(|(absmax, &most)| *absmax = math::gelu_absmax(most));
    absmax
}

/// See [`crate::Kernels::quantize_tokens`].
pub fn quantize_tokens(
    x: &[f32],
    absmax: &[f32],
    out: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i32],
) -> Result<(), ShapeError> {
    let lanes = check_quantize(x, absmax, out, scales)?;
    let features = x.len() / lanes;
    ensure(sums.len() == lanes && features > 0)?;
    for (lane, (out, sum)) in out.chunks_exact_mut(features).zip(sums.iter_mut()).enumerate() {
        let inverse = absmax.get(lane).map_or(0.0, |&absmax| inverse_scale(absmax));
        for (out, &x) in out.iter_mut().zip(x.iter().skip(lane).step_by(lanes)) {
            *out = math::round_to_i8(x * inverse);
        }
        *sum = out.iter().map(|&q| i32::from(q)).sum();
    }
    scales.iter_mut().zip(absmax).for_each(|(s, &absmax)| *s = scale(absmax));
    Ok(())
}

/// See [`crate::Kernels::channel_absmax`].
pub fn channel_absmax(x: &[f32], tokens: usize, absmax: &mut [f32]) -> Result<(), ShapeError> {
    let lanes = check_channels(x.len(), tokens, absmax.len())?;
    for (row, absmax) in x.chunks_exact(lanes).zip(absmax) {
        *absmax = row.iter().take(tokens).fold(*absmax, |most, &x| math::max(math::abs(x), most));
    }
    Ok(())
}

/// See [`crate::Kernels::quantize_channels`].
pub fn quantize_channels(
    x: &[f32],
    tokens: usize,
    absmax: &[f32],
    out: &mut [i8],
    stride: usize,
    sums: &mut [i32],
) -> Result<(), ShapeError> {
    let lanes = check_quantize_channels(x.len(), tokens, absmax.len(), out.len(), stride, sums.len())?;
    let rows = x.chunks_exact(lanes).zip(out.chunks_mut(stride));
    for ((row, out), (&absmax, sum)) in rows.zip(absmax.iter().zip(sums)) {
        let inverse = inverse_scale(absmax);
        for (lane, (out, &x)) in out.iter_mut().zip(row).enumerate() {
            *out = if lane < tokens { math::round_to_i8(x * inverse) } else { 0 };
            *sum += i32::from(*out);
        }
    }
    Ok(())
}

/// The shape of [`crate::Kernels::channel_absmax`]; returns the number of lanes.
pub(crate) fn check_channels(x: usize, tokens: usize, channels: usize) -> Result<usize, ShapeError> {
    // Of no channels, any number of lanes.
    let lanes = check_lanes(x.checked_div(channels).unwrap_or(TILE))?;
    ensure(tokens <= lanes && x == channels * lanes)?;
    Ok(lanes)
}

/// The shape of [`crate::Kernels::quantize_channels`]; returns the number of lanes.
pub(crate) fn check_quantize_channels(
    x: usize,
    tokens: usize,
    channels: usize,
    out: usize,
    stride: usize,
    sums: usize,
) -> Result<usize, ShapeError> {
    let lanes = check_channels(x, tokens, channels)?;
    ensure(sums == channels && stride > 0 && (channels == 0 || lanes <= stride))?;
    let needed = match channels.checked_sub(1) {
        Some(last) => last.checked_mul(stride).and_then(|start| start.checked_add(lanes)),
        None => Some(0),
    };
    ensure(needed.is_some_and(|needed| needed <= out))?;
    Ok(lanes)
}

/// The shape of a quantization to rows; returns the number of lanes.
pub(crate) fn check_quantize_rows(
    x: &[f32],
    absmax: &[f32],
    out: &[i8],
    scales: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(absmax.len())?;
    ensure(x.len().is_multiple_of(lanes) && scales.len() == lanes)?;
    ensure(Some(out.len()) == (x.len() / lanes).checked_mul(row_lanes(lanes)))?;
    Ok(lanes)
}

/// The shape of a quantization to quads or tokens; returns the number of lanes.
pub(crate) fn check_quantize(
    x: &[f32],
    absmax: &[f32],
    out: &[i8],
    scales: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(absmax.len())?;
    ensure(x.len().is_multiple_of(lanes) && out.len() == x.len() && scales.len() == lanes)?;
    Ok(lanes)
}
