//! The vector functions against the scalar ones.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::layout::row_lanes;
use blockspan_kernels::scalar::Scalar;
use blockspan_kernels::{Embeddings, Kernels, ShapeError, Table};

use super::products::unarranged;
use super::random::{Floats, Random};
use super::{LANES, assert_same_bits};

/// Calls `case` with features, lanes and a kind of floats, over small and tile-edge shapes and BERT's.
fn shapes(features: &[usize], mut case: impl FnMut(usize, usize, Floats, &mut Random)) {
    let mut random = Random::new(1);
    for lanes in LANES {
        for &features in features {
            for kind in Floats::ALL {
                case(features, lanes, kind, &mut random);
            }
        }
        // BERT-Large, MiniLM.
        for features in [1024, 384] {
            case(features, lanes, Floats::Bell(2.0), &mut random);
        }
    }
}

/// Per-lane largest magnitudes as a caller would compute them, and sometimes others.
fn absmax_of(x: &[f32], lanes: usize, random: &mut Random) -> Vec<f32> {
    let mut absmax = vec![0.0; lanes];
    Scalar.absmax(x, &mut absmax).unwrap();
    let odd = [0.0, 1e-31, 1e-30, 1.1e-30, f32::MIN_POSITIVE, f32::INFINITY, f32::NAN, f32::MAX, 0.01];
    for most in &mut absmax {
        if random.below(4) == 0 {
            *most = odd[random.below(odd.len())];
        }
    }
    absmax
}

pub fn absmax(kernels: &dyn Kernels) {
    shapes(&[0, 1, 2, 3, 5, 17], |features, lanes, kind, random| {
        let x = random.floats(features * lanes, kind);
        let (mut expected, mut got) = (vec![1.0; lanes], vec![2.0; lanes]);
        Scalar.absmax(&x, &mut expected).unwrap();
        kernels.absmax(&x, &mut got).unwrap();
        assert_same_bits(&expected, &got, &(features, lanes, kind));
    });
}

pub fn quantize(kernels: &dyn Kernels) {
    type Quantize =
        fn(&dyn Kernels, &[f32], &[f32], &mut Vec<i8>, &mut [f32], &mut [i32]) -> Result<(), ShapeError>;
    let forms: [(&str, usize, Quantize); 5] = [
        ("rows", 1, |k, x, absmax, out, scales, _| {
            rows_of(k, absmax.len(), out, |out| k.quantize_rows(x, absmax, out, scales))
        }),
        ("rows of GELU", 1, |k, x, most, out, scales, _| {
            rows_of(k, most.len(), out, |out| k.quantize_gelu_rows(x, most, out, scales))
        }),
        ("quads", 4, |k, x, absmax, out, scales, _| k.quantize_quads(x, absmax, out, scales)),
        ("quads of GELU", 4, |k, x, most, out, scales, _| k.quantize_gelu_quads(x, most, out, scales)),
        ("tokens", 1, |k, x, absmax, out, scales, sums| k.quantize_tokens(x, absmax, out, scales, sums)),
    ];
    for (form, multiple, quantize) in forms {
        shapes(&[1, 2, 3, 4, 5, 7, 12, 15, 16, 17, 20, 32, 36, 64], |features, lanes, kind, random| {
            let features = features.next_multiple_of(multiple);
            let x = random.floats(features * lanes, kind);
            let absmax = absmax_of(&x, lanes, random);
            let run = |kernels: &dyn Kernels| {
                let (mut out, mut scales) = (vec![99i8; x.len()], vec![9.0; lanes]);
                let mut sums = vec![9; lanes];
                quantize(kernels, &x, &absmax, &mut out, &mut scales, &mut sums).unwrap();
                (out, scales, sums)
            };
            let (expected, got) = (run(&Scalar), run(kernels));
            let case = (form, features, lanes, kind);
            assert_same_bits(&expected.1, &got.1, &case);
            assert!(expected.0 == got.0, "{case:?}: other integers");
            assert_eq!(expected.2, got.2, "{case:?}: other sums");
        });
    }
}

/// `out[features][lanes]` by way of the rows that `quantize` writes.
pub fn rows_of(
    kernels: &dyn Kernels,
    lanes: usize,
    out: &mut Vec<i8>,
    quantize: impl FnOnce(&mut [i8]) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    let mut rows = vec![99; out.len() / lanes * row_lanes(lanes)];
    quantize(&mut rows)?;
    *out = unarranged(kernels, rows, lanes);
    Ok(())
}

pub fn channels(kernels: &dyn Kernels) {
    shapes(&[0, 1, 2, 3, 17, 64], |channels, lanes, kind, random| {
        let x = random.floats(channels * lanes, kind);
        for tokens in [0, 1, lanes / 2 + 1, lanes - 1, lanes] {
            let case = (channels, lanes, kind, tokens);
            let before =
                random.floats(channels, Floats::Bell(0.1)).into_iter().map(f32::abs).collect::<Vec<_>>();
            let (mut expected, mut got) = (before.clone(), before);
            Scalar.channel_absmax(&x, tokens, &mut expected).unwrap();
            kernels.channel_absmax(&x, tokens, &mut got).unwrap();
            assert_same_bits(&expected, &got, &case);
            for (channel, most) in expected.iter_mut().enumerate() {
                let odd = [*most, *most, 0.0, f32::NAN, f32::INFINITY, 0.01, 1e-31];
                *most = odd[channel % odd.len()];
            }
            let stride = lanes + random.below(40);
            let run = |kernels: &dyn Kernels| {
                let (mut out, mut sums) = (vec![99i8; channels * stride], vec![7; channels]);
                kernels.quantize_channels(&x, tokens, &expected, &mut out, stride, &mut sums).unwrap();
                (out, sums)
            };
            assert!(run(&Scalar) == run(kernels), "{case:?}: other integers");
        }
    });
}

pub fn layer_norm(kernels: &dyn Kernels) {
    shapes(&[0, 1, 2, 3, 5, 12, 33], |features, lanes, kind, random| {
        let x = random.floats(features * lanes, kind);
        let gamma = random.floats(features, Floats::Bell(1.0));
        let beta = random.floats(features, Floats::Bell(0.3));
        for epsilon in [1e-12, 1e-5] {
            let run = |kernels: &dyn Kernels| {
                let (mut x, mut absmax) = (x.clone(), vec![9.0; lanes]);
                kernels.layer_norm(&mut x, &gamma, &beta, epsilon, &mut absmax).unwrap();
                (x, absmax)
            };
            let (expected, got) = (run(&Scalar), run(kernels));
            assert_same_bits(&expected.0, &got.0, &(features, lanes, kind, epsilon));
            assert_same_bits(&expected.1, &got.1, &(features, lanes, kind, epsilon, "absmax"));
        }
    });
}

pub fn linear(kernels: &dyn Kernels) {
    shapes(&[1, 2, 3, 17], |features, lanes, kind, random| {
        for outputs in [1, 2, 3] {
            let x = random.floats(features * lanes, kind);
            let weights = random.floats(outputs * features, Floats::Bell(0.1));
            let bias = random.floats(outputs, Floats::Bell(1.0));
            let run = |kernels: &dyn Kernels| {
                let mut out = vec![9.0; outputs * lanes];
                kernels.linear_f32(&weights, &bias, &x, &mut out).unwrap();
                out
            };
            assert_same_bits(&run(&Scalar), &run(kernels), &(outputs, features, lanes, kind));
        }
    });
}

pub fn embed(kernels: &dyn Kernels) {
    let mut random = Random::new(3);
    const ROWS: usize = 70;
    for features in [4, 8, 12, 16, 20, 31, 32, 64, 384, 1024] {
        let int8 = random.many(ROWS * features, |r| r.bits() as i8);
        let scales = random.floats(ROWS, Floats::Bell(0.1));
        // All 65,536 half-precision numbers, NaNs included, if there is room.
        let half = random.many(ROWS * features, |r| r.bits() as u16);
        let int8 = Table::I8 { values: &int8, scales: &scales };
        let half = Table::F16(&half);
        for (word, token_type, position) in [(int8, half, half), (half, int8, int8), (int8, int8, int8)] {
            let tables = Embeddings { word, token_type, position };
            for lanes in LANES {
                for tokens in [0, 1, lanes / 2 + 1, lanes - 1, lanes] {
                    let ids = random.many(tokens, |r| [r.below(ROWS) as u32, r.below(2) as u32]);
                    let run = |kernels: &dyn Kernels| {
                        let mut out = vec![9.0; features * lanes];
                        kernels.embed(&tables, &ids, 5, lanes, &mut out).unwrap();
                        out
                    };
                    assert_same_bits(&run(&Scalar), &run(kernels), &(features, lanes, tokens));
                }
            }
        }
    }
}
