//! Products with block-sparse matrices, both orientations.

use super::Scalar;
use crate::Epilogue;
use crate::layout::TILE;
use crate::math;
use crate::operands::{InputBlockOperands, OutputBlockOperands};

/// See [`crate::Kernels::output_block`].
pub(super) fn output_block(_: Scalar, operands: OutputBlockOperands<'_>) {
    let OutputBlockOperands { matrix, strips, x, x_scales, mut epilogue, out, lanes, .. } = operands;
    let first = strips.start;
    for (strip, out) in strips.zip(out.chunks_exact_mut(4 * lanes.get())) {
        let mut acc = [[0i32; TILE]; 4];
        for (columns, weights) in matrix.tiles(strip) {
            for (column, input) in columns.iter().zip(0..4) {
                let start = column * lanes.of_row();
                let row = x.get(start..start + lanes.get()).unwrap_or(&[]);
                for (acc, weights) in acc.iter_mut().zip(weights.chunks_exact(4)) {
                    multiply_add(acc, row, weights.get(input).copied().unwrap_or(0));
                }
            }
        }
        for ((row, acc), out) in (4 * strip..).zip(&acc).zip(out.chunks_exact_mut(lanes.get())) {
            let of_row =
                OfRow { scale: matrix.scale(row), bias: matrix.bias(row), sum: sum(matrix.row_sums(), row) };
            finish_row(acc, of_row, x_scales, &mut epilogue, row - 4 * first, out);
        }
    }
}

/// See [`crate::Kernels::input_block`].
pub(super) fn input_block(_: Scalar, operands: InputBlockOperands<'_>) {
    let InputBlockOperands { matrix, strips, x, x_scales, mut epilogue, out, lanes, .. } = operands;
    let first = 4 * strips.start;
    for (row, out) in (first..4 * strips.end).zip(out.chunks_exact_mut(lanes.get())) {
        let mut acc = [0i32; TILE];
        for panel in 0..matrix.panels() {
            for (block, weights) in matrix.blocks(panel, row) {
                let start = block * 4 * lanes.get();
                let quads = x.get(start..start + 4 * lanes.get()).unwrap_or(&[]);
                for (acc, quad) in acc.iter_mut().zip(quads.chunks_exact(4)) {
                    *acc += dot4(quad, weights);
                }
            }
        }
        let of_row =
            OfRow { scale: matrix.scale(row), bias: matrix.bias(row), sum: sum(matrix.row_sums(), row) };
        finish_row(&acc, of_row, x_scales, &mut epilogue, row - first, out);
    }
}

fn multiply_add(acc: &mut [i32; TILE], x: &[i8], weight: i8) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc += i32::from(x) * i32::from(weight);
    }
}

fn dot4(x: &[i8], weights: &[i8]) -> i32 {
    x.iter().zip(weights).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum()
}

fn sum(sums: &[i32], row: usize) -> i32 {
    sums.get(row).copied().unwrap_or(0)
}

/// What a row of a matrix has besides its weights, and their sum.
struct OfRow {
    scale: f32,
    bias: f32,
    sum: i32,
}

/// Row `row` of the output: scales, bias and epilogue.
fn finish_row(
    acc: &[i32],
    OfRow { scale, bias, sum }: OfRow,
    x_scales: &[f32],
    epilogue: &mut Epilogue<'_>,
    row: usize,
    out: &mut [f32],
) {
    let value = |acc: i32, x_scale: f32| (acc as f32 * x_scale) * scale + bias;
    let values = acc.iter().zip(x_scales).map(|(&acc, &x_scale)| value(acc, x_scale));
    match epilogue {
        Epilogue::Store => out.iter_mut().zip(values).for_each(|(out, y)| *out = y),
        Epilogue::Add { smoothing } => {
            let smoothing = smoothing.get(row).copied().unwrap_or(1.0);
            out.iter_mut().zip(values).for_each(|(out, y)| *out = *out * smoothing + y);
        }
        Epilogue::AddAffine { smoothing, zero_points } => {
            let smoothing = smoothing.get(row).copied().unwrap_or(1.0);
            let lanes = acc.iter().zip(x_scales).zip(zero_points.iter());
            for (out, ((&acc, &x_scale), zero_point)) in out.iter_mut().zip(lanes) {
                let acc = acc.wrapping_add(zero_point.wrapping_mul(sum));
                *out = *out * smoothing + value(acc, x_scale);
            }
        }
        Epilogue::Max { max } => {
            for ((out, max), y) in out.iter_mut().zip(max.iter_mut()).zip(values) {
                *out = y;
                *max = math::max(y, *max);
            }
        }
    }
}
