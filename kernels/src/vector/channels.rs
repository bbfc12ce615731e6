//! Symmetric int8 per channel: values.

use super::quantize::round;
use super::{Vector, each};
use crate::layout::TILE;
use crate::math;
use crate::operands::{ChannelAbsmaxOperands, QuantizeChannelsOperands};
use crate::scalar::inverse_scale;

/// See [`crate::Kernels::channel_absmax`]. The order of a maximum does not matter, and what is not a number loses.
#[inline(always)]
pub(crate) fn channel_absmax<V: Vector>(v: V, operands: ChannelAbsmaxOperands<'_>) {
    let ChannelAbsmaxOperands { x, tokens, absmax, lanes, .. } = operands;
    let real = real_lanes(tokens);
    for (row, absmax) in x.chunks_exact(lanes.get()).zip(absmax) {
        let mut max = v.splat(0.0);
        for (x, real) in row.chunks_exact(V::LANES).zip(real.chunks_exact(V::LANES)) {
            // SAFETY: chunks of `LANES` elements.
            unsafe {
                let magnitude = v.and(v.to_bits(v.load(x.as_ptr())), v.load_i32(real.as_ptr()));
                max = v.max(v.abs(v.with_bits(magnitude)), max);
            }
        }
        *absmax = math::max(v.reduce_max(max), *absmax);
    }
}

/// See [`crate::Kernels::quantize_channels`].
#[inline(always)]
pub(crate) fn quantize_channels<V: Vector>(v: V, operands: QuantizeChannelsOperands<'_>) {
    let QuantizeChannelsOperands { x, tokens, absmax, out, stride, sums, lanes, .. } = operands;
    let lanes = lanes.get();
    let real = real_lanes(tokens);
    let bias = v.splat_i32((math::ROUND.to_bits() as i32).wrapping_neg());
    let rows = x.chunks_exact(lanes).zip(out.chunks_mut(stride.get()));
    for ((row, out), (&absmax, total)) in rows.zip(absmax.iter().zip(sums)) {
        let inverse = v.splat(inverse_scale(absmax));
        let mut sum = v.splat_i32(0);
        let vectors = row.chunks_exact(4 * V::LANES).zip(out.chunks_exact_mut(4 * V::LANES));
        for ((x, out), real) in vectors.zip(real.chunks_exact(4 * V::LANES)) {
            let quantized = each!([v.splat_i32(0); 4], |k| {
                // SAFETY: chunks of four vectors.
                unsafe {
                    let x = v.load(x.as_ptr().add(k * V::LANES));
                    let real = v.load_i32(real.as_ptr().add(k * V::LANES));
                    v.and(v.add_i32(round(v, v.mul(x, inverse)), bias), real)
                }
            });
            for q in quantized {
                sum = v.add_i32(sum, q);
            }
            // SAFETY: as above.
            unsafe { v.store_bytes4(quantized, out.as_mut_ptr()) }
        }
        // Of 16, 32 or 48 lanes, what does not fill four vectors.
        for column in (lanes / (4 * V::LANES) * (4 * V::LANES)..lanes).step_by(V::LANES) {
            // SAFETY: a vector inside the `lanes` elements of `row`, `out` and `real`.
            unsafe {
                let q = v.add_i32(round(v, v.mul(v.load(row.as_ptr().add(column)), inverse)), bias);
                let q = v.and(q, v.load_i32(real.as_ptr().add(column)));
                sum = v.add_i32(sum, q);
                v.store_bytes(q, out.as_mut_ptr().add(column));
            }
        }
        *total = total.wrapping_add(v.reduce_add(sum));
    }
}

/// All bits set where there is a token, none in padding.
#[inline(always)]
fn real_lanes(tokens: usize) -> [i32; TILE] {
    let mut real = [0; TILE];
    real.iter_mut().take(tokens).for_each(|lane| *lane = -1);
    real
}
