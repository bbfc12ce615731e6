//! Products with block-sparse matrices, both orientations.

use core::ops::Range;

use super::{check_lanes, ensure};
use crate::layout::{TILE, row_lanes};
use crate::math;
use crate::matrix::{InputBlock, OutputBlock};
use crate::{Epilogue, ShapeError};

/// See [`crate::Kernels::output_block`].
pub fn output_block(
    matrix: &OutputBlock<'_>,
    strips: Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    mut epilogue: Epilogue<'_>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_output_block(matrix, &strips, x, x_scales, &epilogue, out)?;
    let first = strips.start;
    for (strip, out) in strips.zip(out.chunks_exact_mut(4 * lanes)) {
        let mut acc = [[0i32; TILE]; 4];
        for (columns, weights) in matrix.tiles(strip) {
            for (column, input) in columns.iter().zip(0..4) {
                let start = column * row_lanes(lanes);
                let row = x.get(start..start + lanes).ok_or(ShapeError)?;
                for (acc, weights) in acc.iter_mut().zip(weights.chunks_exact(4)) {
                    multiply_add(acc, row, weights.get(input).copied().unwrap_or(0));
                }
            }
        }
        for ((row, acc), out) in (4 * strip..).zip(&acc).zip(out.chunks_exact_mut(lanes)) {
            let scale = (matrix.scale(row), matrix.bias(row));
            finish(acc, scale, x_scales, &mut epilogue, row - 4 * first, out);
        }
    }
    Ok(())
}

/// See [`crate::Kernels::input_block`].
pub fn input_block(
    matrix: &InputBlock<'_>,
    strips: Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    mut epilogue: Epilogue<'_>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_input_block(matrix, &strips, x, x_scales, &epilogue, out)?;
    let first = 4 * strips.start;
    for (row, out) in (first..4 * strips.end).zip(out.chunks_exact_mut(lanes)) {
        let mut acc = [0i32; TILE];
        for panel in 0..matrix.panels() {
            for (block, weights) in matrix.blocks(panel, row) {
                let start = block * 4 * lanes;
                let quads = x.get(start..start + 4 * lanes).ok_or(ShapeError)?;
                for (acc, quad) in acc.iter_mut().zip(quads.chunks_exact(4)) {
                    *acc += dot4(quad, weights);
                }
            }
        }
        finish(&acc, (matrix.scale(row), matrix.bias(row)), x_scales, &mut epilogue, row - first, out);
    }
    Ok(())
}

/// The shape of an output-block product; returns the number of lanes.
pub(crate) fn check_output_block(
    matrix: &OutputBlock<'_>,
    strips: &Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    epilogue: &Epilogue<'_>,
    out: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_product(matrix.rows(), strips, x_scales, epilogue, out)?;
    ensure(x.len() == matrix.cols() * row_lanes(lanes))?;
    Ok(lanes)
}

/// The shape of an input-block product; returns the number of lanes.
pub(crate) fn check_input_block(
    matrix: &InputBlock<'_>,
    strips: &Range<usize>,
    x: &[i8],
    x_scales: &[f32],
    epilogue: &Epilogue<'_>,
    out: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_product(matrix.rows(), strips, x_scales, epilogue, out)?;
    ensure(x.len() == matrix.cols() * lanes)?;
    Ok(lanes)
}

/// What both have in common; returns the number of lanes.
fn check_product(
    rows: usize,
    strips: &Range<usize>,
    x_scales: &[f32],
    epilogue: &Epilogue<'_>,
    out: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(x_scales.len())?;
    ensure(strips.start <= strips.end && strips.end <= rows / 4)?;
    ensure(out.len() == 4 * strips.len() * lanes)?;
    match epilogue {
        Epilogue::Store => {}
        Epilogue::Add { smoothing } => ensure(smoothing.len() == 4 * strips.len())?,
        Epilogue::Most { most } => ensure(most.len() == lanes)?,
    }
    Ok(lanes)
}

fn multiply_add(acc: &mut [i32; TILE], x: &[i8], weight: i8) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc += i32::from(x) * i32::from(weight);
    }
}

fn dot4(x: &[i8], weights: &[i8]) -> i32 {
    x.iter().zip(weights).map(|(&x, &w)| i32::from(x) * i32::from(w)).sum()
}

/// Row `row` of the output: scales, bias and epilogue.
fn finish(
    acc: &[i32],
    (scale, bias): (f32, f32),
    x_scales: &[f32],
    epilogue: &mut Epilogue<'_>,
    row: usize,
    out: &mut [f32],
) {
    let values = acc.iter().zip(x_scales).map(|(&acc, &x_scale)| (acc as f32 * x_scale) * scale + bias);
    match epilogue {
        Epilogue::Store => out.iter_mut().zip(values).for_each(|(out, y)| *out = y),
        Epilogue::Add { smoothing } => {
            let smoothing = smoothing.get(row).copied().unwrap_or(1.0);
            out.iter_mut().zip(values).for_each(|(out, y)| *out = *out * smoothing + y);
        }
        Epilogue::Most { most } => {
            for ((out, most), y) in out.iter_mut().zip(most.iter_mut()).zip(values) {
                *out = y;
                *most = math::max(y, *most);
            }
        }
    }
}
