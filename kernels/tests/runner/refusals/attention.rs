//! Scores, context and softmax.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::layout::score_lanes;
use blockspan_kernels::matrix::MAX_DIM;
use blockspan_kernels::{DenseRows, Kernels, ShapeError};

use super::{Call, Size, at_least, exactly, number, unchanged};

pub fn calls(lanes: usize) -> Vec<Call> {
    vec![dense(lanes, false), dense(lanes, true), softmax(lanes, 5), softmax(lanes, 8)]
}

/// Three rows of 8 columns, 12 apart.
fn dense(lanes: usize, context: bool) -> Call {
    let (rows, wide) = (3, if context { lanes } else { score_lanes(lanes) });
    // A distance of half of `usize` would make the last row begin where the first one does, if it was multiplied without
    // a check.
    let half = 1 << (usize::BITS - 1);
    let sizes: Vec<Size> = vec![
        at_least("values", 2 * 12 + 8),
        number("stride", 12, &[8, 11], &[0, 4, 7, 13, half, half + 8, usize::MAX]),
        number("cols", 8, &[], &[0, 4, 6, 7, 9, 10, 12, usize::MAX, usize::MAX - 3]),
        exactly("sums", rows),
        exactly("scales", rows),
        exactly("x", 8 * lanes),
        exactly("x_scales", lanes),
        if context { number("nothing", 0, &[], &[]) } else { exactly("max", wide) },
        exactly("out", rows * wide),
    ];
    let run = move |kernels: &dyn Kernels, sizes: &[usize]| -> Result<(), ShapeError> {
        let &[values, stride, cols, sums, scales, x, x_scales, max, out] = sizes else { unreachable!() };
        let (values, sums, scales) = (vec![1; values], vec![8; sums], vec![1.0; scales]);
        let rows = DenseRows { values: &values, stride, cols, sums: &sums, scales: &scales };
        let x_scales = vec![1.0; x_scales];
        if context {
            let mut out = vec![7.0; out];
            unchanged!(kernels.context(&rows, &vec![1; x], &x_scales, &mut out), out = 7.0)
        } else {
            let (mut max, mut out) = (vec![7; max], vec![7; out]);
            unchanged!(kernels.scores(&rows, &vec![1; x], &x_scales, &mut max, &mut out), max = 7, out = 7)
        }
    };
    let max = if context { 0 } else { wide };
    // As many rows of so many columns, side by side.
    let of = |rows: usize, cols: usize| {
        [rows * cols, cols, cols, rows, rows, cols * lanes, lanes, max, rows * wide]
    };
    // Miri would take minutes for the most columns.
    let most_cols = if cfg!(miri) { 64 } else { MAX_DIM };
    Call::new(if context { "context" } else { "scores" }, sizes, run)
        .accepts(of(0, 8))
        .accepts(of(1, 8))
        .accepts(of(3, 0))
        .accepts(of(1, most_cols))
        .refuses(of(1, MAX_DIM + 4))
        .refuses(of(3, 6))
        .refuses(of(3, 7))
        // Rows that overlap, of which each begins inside the values.
        .refuses([32, 4, 8, 3, 3, 8 * lanes, lanes, max, 3 * wide])
}

fn softmax(lanes: usize, keys: usize) -> Call {
    let (wide, quads) = (score_lanes(lanes), keys.div_ceil(4));
    let sizes = vec![
        exactly("scores", keys * wide),
        exactly("max", wide),
        exactly("out", quads * 4 * lanes),
        exactly("scales", lanes),
    ];
    Call::new("softmax", sizes, |kernels, sizes| {
        let (scores, max) = (vec![1; sizes[0]], vec![1; sizes[1]]);
        let (mut out, mut scales) = (vec![7; sizes[2]], vec![7.0; sizes[3]]);
        unchanged!(kernels.softmax(&scores, &max, &mut out, &mut scales), out = 7, scales = 7.0)
    })
    .accepts([0, wide, 0, lanes])
    // A key more or less than there is room for.
    .refuses([(4 * quads + 1) * wide, wide, quads * 4 * lanes, lanes])
    .refuses([4 * (quads - 1) * wide, wide, quads * 4 * lanes, lanes])
}
