//! Largest magnitudes and quantization per token, LayerNorm and the output layer.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::layout::row_lanes;
use blockspan_kernels::{Kernels, ShapeError};

use super::{Call, exactly, unchanged};

/// Features of a tile, a multiple of 4 for the sake of quads.
const FEATURES: usize = 8;

pub fn calls(lanes: usize) -> Vec<Call> {
    vec![
        absmax(lanes),
        quantize(lanes, "quantize_rows"),
        quantize(lanes, "quantize_gelu_rows"),
        quantize(lanes, "quantize_quads"),
        quantize(lanes, "quantize_gelu_quads"),
        quantize_tokens(lanes),
        layer_norm(lanes),
        linear(lanes, 1),
        linear(lanes, 2),
    ]
}

fn absmax(lanes: usize) -> Call {
    let sizes = vec![exactly("x", FEATURES * lanes), exactly("absmax", lanes)];
    Call::new("absmax", sizes, |kernels, sizes| {
        let (x, mut absmax) = (vec![1.0; sizes[0]], vec![7.0; sizes[1]]);
        unchanged!(kernels.absmax(&x, &mut absmax), absmax = 7.0)
    })
    .accepts([0, lanes])
    .accepts([lanes, lanes])
}

fn quantize(lanes: usize, kernel: &'static str) -> Call {
    let quads = kernel.ends_with("quads");
    let wide = if quads { lanes } else { row_lanes(lanes) };
    let of = |features: usize| [features * lanes, lanes, features * wide, lanes];
    let names = ["x", "absmax", "out", "scales"];
    let sizes = names.into_iter().zip(of(FEATURES)).map(|(name, fits)| exactly(name, fits)).collect();
    let run = move |kernels: &dyn Kernels, sizes: &[usize]| -> Result<(), ShapeError> {
        let (x, absmax) = (vec![1.0; sizes[0]], vec![1.0; sizes[1]]);
        let (mut out, mut scales) = (vec![7; sizes[2]], vec![7.0; sizes[3]]);
        let result = match kernel {
            "quantize_rows" => kernels.quantize_rows(&x, &absmax, &mut out, &mut scales),
            "quantize_gelu_rows" => kernels.quantize_gelu_rows(&x, &absmax, &mut out, &mut scales),
            "quantize_quads" => kernels.quantize_quads(&x, &absmax, &mut out, &mut scales),
            _ => kernels.quantize_gelu_quads(&x, &absmax, &mut out, &mut scales),
        };
        unchanged!(result, out = 7, scales = 7.0)
    };
    let mut call = Call::new(kernel, sizes, run).accepts(of(0)).accepts(of(4));
    for features in [1, 2, 3, 5, 6, 7] {
        call = if quads { call.refuses(of(features)) } else { call.accepts(of(features)) };
    }
    call
}

fn quantize_tokens(lanes: usize) -> Call {
    let of = |features: usize| [features * lanes, lanes, features * lanes, lanes, lanes];
    let names = ["x", "absmax", "out", "scales", "sums"];
    let sizes = names.into_iter().zip(of(FEATURES)).map(|(name, fits)| exactly(name, fits)).collect();
    Call::new("quantize_tokens", sizes, |kernels, sizes| {
        let (x, absmax, mut out) = (vec![1.0; sizes[0]], vec![1.0; sizes[1]], vec![7; sizes[2]]);
        let (mut scales, mut sums) = (vec![7.0; sizes[3]], vec![7; sizes[4]]);
        let result = kernels.quantize_tokens(&x, &absmax, &mut out, &mut scales, &mut sums);
        unchanged!(result, out = 7, scales = 7.0, sums = 7)
    })
    .accepts(of(1))
    .accepts(of(17))
    .refuses(of(0))
}

fn layer_norm(lanes: usize) -> Call {
    let of = |features: usize| [features * lanes, features, features, lanes];
    let names = ["x", "gamma", "beta", "absmax"];
    let sizes = names.into_iter().zip(of(FEATURES)).map(|(name, fits)| exactly(name, fits)).collect();
    Call::new("layer_norm", sizes, |kernels, sizes| {
        let (mut x, gamma, beta) = (vec![7.0; sizes[0]], vec![1.0; sizes[1]], vec![1.0; sizes[2]]);
        let mut absmax = vec![7.0; sizes[3]];
        let result = kernels.layer_norm(&mut x, &gamma, &beta, 1e-5, &mut absmax);
        unchanged!(result, x = 7.0, absmax = 7.0)
    })
    .accepts(of(0))
    .accepts(of(1))
}

fn linear(lanes: usize, outputs: usize) -> Call {
    let of =
        |outputs: usize, features: usize| [outputs * features, outputs, features * lanes, outputs * lanes];
    let names = ["weights", "bias", "x", "out"];
    let sizes =
        names.into_iter().zip(of(outputs, FEATURES)).map(|(name, fits)| exactly(name, fits)).collect();
    Call::new("linear_f32", sizes, |kernels, sizes| {
        let (weights, bias) = (vec![1.0; sizes[0]], vec![1.0; sizes[1]]);
        let (x, mut out) = (vec![1.0; sizes[2]], vec![7.0; sizes[3]]);
        unchanged!(kernels.linear_f32(&weights, &bias, &x, &mut out), out = 7.0)
    })
    .accepts(of(outputs, 1))
    .refuses(of(outputs, 0))
    .refuses(of(0, FEATURES))
    // A whole row too many, or too few.
    .refuses([outputs * FEATURES, outputs, (FEATURES + 1) * lanes, outputs * lanes])
    .refuses([outputs * FEATURES, outputs, (FEATURES - 1) * lanes, outputs * lanes])
}
