//! Largest magnitudes and quantization per channel.

use alloc::vec;
use alloc::vec::Vec;

use super::{Call, at_least, exactly, number, unchanged};

/// So many that a channel more or less would be of a number of lanes that no tile has.
const CHANNELS: usize = 7;

pub fn calls(lanes: usize) -> Vec<Call> {
    vec![channel_absmax(lanes), quantize_channels(lanes)]
}

fn channel_absmax(lanes: usize) -> Call {
    let sizes = vec![
        exactly("x", CHANNELS * lanes),
        number("tokens", lanes / 2, &[0, lanes], &[lanes + 1, usize::MAX]),
        exactly("absmax", CHANNELS),
    ];
    Call::new("channel_absmax", sizes, |kernels, sizes| {
        let (x, mut absmax) = (vec![8.0; sizes[0]], vec![7.0; sizes[2]]);
        unchanged!(kernels.channel_absmax(&x, sizes[1], &mut absmax), absmax = 7.0)
    })
    .accepts([0, 64, 0])
    .refuses([0, 65, 0])
    .refuses([1, 0, 0])
}

/// Rows of bytes that are 5 more than `lanes` apart.
fn quantize_channels(lanes: usize) -> Call {
    let stride = lanes + 5;
    let half = 1 << (usize::BITS - 1);
    let sizes = vec![
        exactly("x", CHANNELS * lanes),
        number("tokens", lanes / 2, &[0, lanes], &[lanes + 1, usize::MAX]),
        exactly("absmax", CHANNELS),
        at_least("out", (CHANNELS - 1) * stride + lanes),
        number(
            "stride",
            stride,
            &[lanes, stride - 1],
            &[0, lanes.wrapping_sub(1), stride + 1, half, half + lanes, usize::MAX],
        ),
        exactly("sums", CHANNELS),
    ];
    Call::new("quantize_channels", sizes, |kernels, sizes| {
        let (x, absmax) = (vec![1.0; sizes[0]], vec![1.0; sizes[2]]);
        let (mut out, mut sums) = (vec![7; sizes[3]], vec![7; sizes[5]]);
        let result = kernels.quantize_channels(&x, sizes[1], &absmax, &mut out, sizes[4], &mut sums);
        unchanged!(result, out = 7, sums = 7)
    })
    .accepts([0, 64, 0, 0, 1, 0])
    .refuses([0, 64, 0, 0, 0, 0])
    // Rows that overlap, of which each begins inside the bytes.
    .refuses([CHANNELS * lanes, 0, CHANNELS, CHANNELS * stride, lanes / 2, CHANNELS])
}
