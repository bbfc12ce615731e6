//! Symmetric int8 per channel: values.

use super::Scalar;
use super::quantize::inverse_scale;
use crate::math;
use crate::operands::{ChannelAbsmaxOperands, QuantizeChannelsOperands};

/// See [`crate::Kernels::channel_absmax`].
pub(super) fn channel_absmax(_: Scalar, operands: ChannelAbsmaxOperands<'_>) {
    let ChannelAbsmaxOperands { x, tokens, absmax, lanes, .. } = operands;
    for (row, absmax) in x.chunks_exact(lanes.get()).zip(absmax) {
        *absmax = row.iter().take(tokens).fold(*absmax, |max, &x| math::max(math::abs(x), max));
    }
}

/// See [`crate::Kernels::quantize_channels`].
pub(super) fn quantize_channels(_: Scalar, operands: QuantizeChannelsOperands<'_>) {
    let QuantizeChannelsOperands { x, tokens, absmax, out, stride, sums, lanes, .. } = operands;
    let rows = x.chunks_exact(lanes.get()).zip(out.chunks_mut(stride.get()));
    for ((row, out), (&absmax, sum)) in rows.zip(absmax.iter().zip(sums)) {
        let inverse = inverse_scale(absmax);
        for (lane, (out, &x)) in out.iter_mut().zip(row).enumerate() {
            *out = if lane < tokens { math::round_to_i8(x * inverse) } else { 0 };
            *sum = sum.wrapping_add(i32::from(*out));
        }
    }
}
