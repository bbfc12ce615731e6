//! The int8 products against the scalar ones.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::layout::{row_lanes, score_lanes};
use blockspan_kernels::matrix::{MAX_PANEL_COLS, Matrix, PackedMatrix, pack_input_block, pack_output_block};
use blockspan_kernels::scalar::Scalar;
use blockspan_kernels::{DenseRows, Epilogue, Kernels};

use super::random::{Floats, Random};
use super::{LANES, assert_same_bits};

/// How weights and activations are filled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    Random,
    /// 127 · 127 everywhere.
    Most,
    /// −127 · 127 everywhere.
    Least,
    /// −127 · −128 everywhere: an activation of −128 is not produced by quantization, but it is int8.
    Extreme,
    /// −127, −128 and 127 at random: the corners in which 16-bit sums of pairs would saturate.
    Corners,
    /// One lane of ±127, the others 0.
    OneHot,
}

const FILLS: [Fill; 6] = [Fill::Random, Fill::Most, Fill::Least, Fill::Extreme, Fill::Corners, Fill::OneHot];

impl Fill {
    fn weight(self, random: &mut Random) -> i8 {
        match self {
            Fill::Random | Fill::OneHot => (random.below(255) as i32 - 127) as i8,
            Fill::Most => 127,
            Fill::Least | Fill::Extreme => -127,
            Fill::Corners => [-127, 127][random.below(2)],
        }
    }

    fn activations(self, random: &mut Random, features: usize, lanes: usize) -> Vec<i8> {
        let hot = random.below(lanes);
        (0..features * lanes)
            .map(|i| match self {
                Fill::Random => (random.below(255) as i32 - 127) as i8,
                Fill::Most | Fill::Least => 127,
                Fill::Extreme => -128,
                Fill::Corners => [-128, -127, 127][random.below(3)],
                Fill::OneHot => [0, 127][usize::from(i % lanes == hot)],
            })
            .collect()
    }
}

/// A block-sparse matrix, `density` of its 1×4 blocks kept.
fn sparse(
    random: &mut Random,
    rows: usize,
    cols: usize,
    density: f32,
    fill: Fill,
    by_output: bool,
) -> Vec<i8> {
    let mut weights = vec![0; rows * cols];
    for i in 0..rows * cols / 4 {
        if (random.unit() + 1.0) / 2.0 < density {
            for j in 0..4 {
                let at = if by_output { (i / cols * 4 + j) * cols + i % cols } else { 4 * i + j };
                weights[at] = fill.weight(random);
            }
        }
    }
    weights
}

/// Rows and columns: around the edges of tiles, and MiniLM's and BERT-Large's.
const SMALL: [(usize, usize); 9] =
    [(4, 4), (4, 8), (8, 4), (12, 20), (4, 60), (16, 64), (20, 68), (36, 132), (64, 32)];
const MODELS: [(usize, usize); 4] = [(384, 384), (384, 1536), (1024, 1024), (64, 4096)];

fn cases(mut case: impl FnMut(usize, usize, usize, f32, Fill, &mut Random)) {
    let mut random = Random::new(4);
    for lanes in LANES {
        for (rows, cols) in SMALL {
            for density in [0.0, 0.1, 0.5, 1.0] {
                for fill in FILLS {
                    case(rows, cols, lanes, density, fill, &mut random);
                }
            }
        }
    }
    for (rows, cols) in MODELS {
        let lanes = LANES[random.below(LANES.len())];
        case(rows, cols, lanes, 0.2, Fill::Random, &mut random);
    }
    case(1024, 1024, 64, 0.2, Fill::Corners, &mut random);
    // Columns further apart than a byte says.
    for lanes in LANES {
        case(8, 4096, lanes, 0.002, Fill::Random, &mut random);
    }
    for _ in 0..100 {
        let (rows, cols) = (4 * (1 + random.below(12)), 4 * (1 + random.below(60)));
        let (lanes, fill) = (LANES[random.below(LANES.len())], FILLS[random.below(FILLS.len())]);
        let density = random.unit().abs();
        case(rows, cols, lanes, density, fill, &mut random);
    }
}

/// Runs all epilogues over all strips and over some of them.
fn check(
    kernels: &dyn Kernels,
    random: &mut Random,
    rows: usize,
    lanes: usize,
    case: &dyn core::fmt::Debug,
    run: impl Fn(&dyn Kernels, core::ops::Range<usize>, &[f32], Epilogue<'_>, &mut [f32]),
) {
    let scales_kind =
        [Floats::Bell(0.01), Floats::Bell(1e30), Floats::Denormal, Floats::Bell(1e-3)][random.below(4)];
    let x_scales: Vec<f32> = random.floats(lanes, scales_kind);
    let first = random.below(rows / 4);
    let last = first + random.below(rows / 4 - first + 1);
    for strips in [0..rows / 4, first..last] {
        let before = random.floats(4 * strips.len() * lanes, Floats::Bell(1.0));
        let smoothing = random.floats(4 * strips.len(), Floats::Bell(4.0));
        let zero_points = random.many(lanes, |r| r.below(128) as i32);
        let both = [&Scalar as &dyn Kernels, kernels].map(|kernels| {
            let mut results = Vec::new();
            for form in 0..4 {
                let (mut out, mut max) = (before.clone(), vec![0.25; lanes]);
                let epilogue = match form {
                    0 => Epilogue::Store,
                    1 => Epilogue::Add { smoothing: &smoothing },
                    2 => Epilogue::AddAffine { smoothing: &smoothing, zero_points: &zero_points },
                    _ => Epilogue::Max { max: &mut max },
                };
                run(kernels, strips.clone(), &x_scales, epilogue, &mut out);
                results.push((out, max));
            }
            results
        });
        let [expected, got] = &both;
        for (form, (expected, got)) in expected.iter().zip(got).enumerate() {
            let case = (case, &strips, ["store", "add", "add affine", "max"][form]);
            assert_same_bits(&expected.0, &got.0, &case);
            assert_same_bits(&expected.1, &got.1, &(case, "the largest"));
        }
    }
}

pub fn output_block(kernels: &dyn Kernels) {
    cases(|rows, cols, lanes, density, fill, random| {
        let weights = sparse(random, rows, cols, density, fill, true);
        let (scales, bias) =
            (random.floats(rows, Floats::Bell(0.01)), random.floats(rows, Floats::Bell(1.0)));
        let scales: Vec<f32> = scales.into_iter().map(f32::abs).collect();
        let packed = aligned(&pack_output_block(&weights, cols, &scales, &bias).unwrap());
        let packed = PackedMatrix::validate(bytemuck::cast_slice(&packed)).unwrap();
        let Some(Matrix::OutputBlock(matrix)) = packed.view() else { panic!("not an output-block matrix") };
        let x = fill.activations(random, cols, lanes);
        check(
            kernels,
            random,
            rows,
            lanes,
            &(rows, cols, lanes, density, fill),
            |k, strips, x_scales, epilogue, out| {
                let x = arranged(k, &x, lanes);
                k.output_block(&matrix, strips, &x, x_scales, epilogue, out).unwrap();
            },
        );
    });
}

pub fn input_block(kernels: &dyn Kernels) {
    cases(|rows, cols, lanes, density, fill, random| {
        let weights = sparse(random, rows, cols, density, fill, false);
        let (scales, bias) =
            (random.floats(rows, Floats::Bell(0.01)), random.floats(rows, Floats::Bell(1.0)));
        let scales: Vec<f32> = scales.into_iter().map(f32::abs).collect();
        let panel_cols = [4, 16, 128, cols, cols + 4][random.below(5)].min(MAX_PANEL_COLS);
        let packed = aligned(&pack_input_block(&weights, cols, panel_cols, &scales, &bias).unwrap());
        let packed = PackedMatrix::validate(bytemuck::cast_slice(&packed)).unwrap();
        let Some(Matrix::InputBlock(matrix)) = packed.view() else { panic!("not an input-block matrix") };
        let x = fill.activations(random, cols, lanes);
        let case = (rows, cols, panel_cols, lanes, density, fill);
        check(kernels, random, rows, lanes, &case, |k, strips, x_scales, epilogue, out| {
            k.input_block(&matrix, strips, &x, x_scales, epilogue, out).unwrap();
        });
    });
}

pub fn dense(kernels: &dyn Kernels) {
    let mut random = Random::new(5);
    let mut shapes = vec![(384, 64, 64), (64, 384, 64), (384, 32, 64), (37, 64, 16)];
    for lanes in LANES {
        for rows in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 17] {
            for cols in [0, 4, 8, 12, 60, 64, 68] {
                shapes.push((rows, cols, lanes));
            }
        }
    }
    for (rows, cols, lanes) in shapes {
        for fill in FILLS {
            let stride = cols + random.below(3);
            let values = random.many(rows * stride, |r| fill.weight(r));
            let row_scales = random.floats(rows, Floats::Bell(0.1));
            let sums = (0..rows)
                .map(|r| values[r * stride..][..cols].iter().map(|&w| i32::from(w)).sum())
                .collect::<Vec<i32>>();
            let dense = DenseRows { values: &values, stride, cols, sums: &sums, scales: &row_scales };
            let signed = fill.activations(&mut random, cols, lanes);
            let unsigned: Vec<u8> = match fill {
                Fill::Most | Fill::Least => vec![255; cols * lanes],
                Fill::Extreme => vec![0; cols * lanes],
                Fill::Corners => random.many(cols * lanes, |r| [0, 1, 127, 128, 255][r.below(5)]),
                _ => random.many(cols * lanes, |r| r.bits() as u8),
            };
            let x_scales = random.floats(lanes, Floats::Bell(0.01));
            let both = [&Scalar as &dyn Kernels, kernels].map(|k| {
                let mut context = vec![9.0; rows * lanes];
                k.context(&dense, &unsigned, &x_scales, &mut context).unwrap();
                (context, attention_weights(k, &dense, &signed, &x_scales))
            });
            let [expected, got] = &both;
            assert_same_bits(&expected.0, &got.0, &(rows, cols, lanes, fill, "context"));
            assert_same_bits(&expected.1.1, &got.1.1, &(rows, cols, lanes, fill, "softmax"));
            assert!(expected.1.0 == got.1.0, "{:?}: other weights", (rows, cols, lanes, fill));
        }
    }
}

/// Scores, whose order is the instruction set's own, and the softmax over them: weights and scales.
///
/// Scores come in two parts, as from tiles of keys; the scales make them lie apart by some octaves.
pub fn attention_weights(
    kernels: &dyn Kernels,
    rows: &DenseRows<'_>,
    x: &[i8],
    x_scales: &[f32],
) -> (Vec<u8>, Vec<f32>) {
    let (count, lanes) = (rows.sums.len(), x_scales.len());
    let wide = score_lanes(lanes);
    let (mut scores, mut max) = (vec![9i16; count * wide], vec![i16::MIN; wide]);
    let first = count / 2;
    for part in [0..first, first..count] {
        let rows = DenseRows {
            values: rows.values.get(part.start * rows.stride..).unwrap_or_default(),
            sums: &rows.sums[part.clone()],
            scales: &rows.scales[part.clone()],
            ..*rows
        };
        kernels
            .scores(&rows, x, x_scales, &mut max, &mut scores[part.start * wide..part.end * wide])
            .unwrap();
    }
    let (mut weights, mut scales) = (vec![9u8; count.next_multiple_of(4) * lanes], vec![9.0; lanes]);
    kernels.softmax(&scores, &max, &mut weights, &mut scales).unwrap();
    (weights, scales)
}

/// Scores of all sizes against the definition, through a product of four columns that makes them.
pub fn scores_of_any_size(kernels: &dyn Kernels) {
    let mut random = Random::new(7);
    for lanes in LANES {
        for keys in [1, 2, 3, 4, 5, 6, 7, 8, 63, 66, 384] {
            for kind in Floats::ALL {
                let values = random.many(keys * 4, |r| Fill::Random.weight(r));
                let x = random.many(4 * lanes, |r| Fill::Random.weight(r));
                let sums: Vec<i32> =
                    values.chunks(4).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect();
                let scales = random.floats(keys, kind);
                let rows = DenseRows { values: &values, stride: 4, cols: 4, sums: &sums, scales: &scales };
                for x_scale in [1.0, 1e-2, 1e-30] {
                    let x_scales: Vec<f32> = random.floats(lanes, Floats::Bell(x_scale));
                    let expected = attention_weights(&Scalar, &rows, &x, &x_scales);
                    let got = attention_weights(kernels, &rows, &x, &x_scales);
                    assert_same_bits(&expected.1, &got.1, &(keys, lanes, kind, x_scale));
                    assert!(expected.0 == got.0, "{:?}: other weights", (keys, lanes, kind, x_scale));
                }
            }
        }
    }
}

/// `x[features][lanes]` as rows for the output-block product. What is between the rows must not matter.
pub fn arranged(kernels: &dyn Kernels, x: &[i8], lanes: usize) -> Vec<i8> {
    let mut rows = vec![-77; x.len() / lanes * row_lanes(lanes)];
    for (row, x) in rows.chunks_exact_mut(row_lanes(lanes)).zip(x.chunks_exact(lanes)) {
        row[..lanes].copy_from_slice(x);
    }
    kernels.arrange_rows(lanes, &mut rows).unwrap();
    rows
}

/// `x[features][lanes]` from rows of the output-block product.
pub fn unarranged(kernels: &dyn Kernels, mut rows: Vec<i8>, lanes: usize) -> Vec<i8> {
    kernels.arrange_rows(lanes, &mut rows).unwrap();
    rows.chunks_exact(row_lanes(lanes)).flat_map(|row| &row[..lanes]).copied().collect()
}

/// The bytes at a multiple of 4 in memory.
pub fn aligned(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
