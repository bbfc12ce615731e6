//! The block-sparse products and the order of their rows.

use alloc::vec;
use alloc::vec::Vec;

use blockspan_kernels::layout::row_lanes;
use blockspan_kernels::matrix::{Matrix, PackedMatrix, pack_input_block, pack_output_block};
use blockspan_kernels::{Epilogue, Kernels, ShapeError};

use super::super::products::aligned;
use super::{Call, exactly, number, unchanged};

/// The matrices' outputs, five strips, and inputs.
const ROWS: usize = 20;
const COLS: usize = 12;

pub fn calls(lanes: usize) -> Vec<Call> {
    let mut calls = vec![arrange_rows(lanes)];
    for by_output in [true, false] {
        for epilogue in ["store", "add", "factors of add affine", "zero points of add affine", "max"] {
            calls.push(product(lanes, by_output, epilogue));
        }
    }
    calls
}

fn arrange_rows(lanes: usize) -> Call {
    Call::new("arrange_rows", vec![exactly("rows", 3 * row_lanes(lanes))], move |kernels, sizes| {
        let mut rows = vec![7; sizes[0]];
        unchanged!(kernels.arrange_rows(lanes, &mut rows), rows = 7)
    })
    .accepts([0])
}

/// Strips 1 to 3 of the matrix.
fn product(lanes: usize, by_output: bool, epilogue: &'static str) -> Call {
    let weights = [1i8; ROWS * COLS];
    let packed = aligned(&if by_output {
        pack_output_block(&weights, COLS, &[1.0; ROWS], &[0.0; ROWS]).unwrap()
    } else {
        pack_input_block(&weights, COLS, 8, &[1.0; ROWS], &[0.0; ROWS]).unwrap()
    });
    let (kernel, x_len) = match by_output {
        true => ("output_block", COLS * row_lanes(lanes)),
        false => ("input_block", COLS * lanes),
    };
    // What the epilogue takes for some strips.
    let extra = move |strips: usize| match epilogue {
        "store" => 0,
        "add" | "factors of add affine" => 4 * strips,
        _ => lanes,
    };
    let sizes = vec![
        number("strips.start", 1, &[], &[0, 2, 4, 5, usize::MAX]),
        number("strips.end", 4, &[], &[0, 3, 5, 6, usize::MAX]),
        exactly("x", x_len),
        exactly("x_scales", lanes),
        match epilogue {
            "store" => number("nothing", 0, &[], &[]),
            _ => exactly("epilogue", extra(3)),
        },
        exactly("out", 4 * 3 * lanes),
    ];
    let run = move |kernels: &dyn Kernels, sizes: &[usize]| -> Result<(), ShapeError> {
        let matrix = PackedMatrix::validate(bytemuck::cast_slice(&packed)).unwrap().view().unwrap();
        let (x, x_scales) = (vec![1i8; sizes[2]], vec![1.0; sizes[3]]);
        let (mut extra, mut out) = (vec![7.0; sizes[4]], vec![7.0; sizes[5]]);
        let strips = sizes[0]..sizes[1];
        let (factors, points) = (vec![1.0; 4 * strips.len().min(ROWS)], vec![1; extra.len()]);
        let points_of_lanes = vec![1; sizes[3]];
        let form = match epilogue {
            "store" => Epilogue::Store,
            "add" => Epilogue::Add { smoothing: &extra },
            "factors of add affine" => {
                Epilogue::AddAffine { smoothing: &extra, zero_points: &points_of_lanes }
            }
            "zero points of add affine" => Epilogue::AddAffine { smoothing: &factors, zero_points: &points },
            _ => Epilogue::Max { max: &mut extra },
        };
        let result = match &matrix {
            Matrix::OutputBlock(m) => kernels.output_block(m, strips, &x, &x_scales, form, &mut out),
            Matrix::InputBlock(m) => kernels.input_block(m, strips, &x, &x_scales, form, &mut out),
        };
        unchanged!(result, out = 7.0, extra = 7.0)
    };
    let mut call = Call::new(kernel, sizes, run);
    // Everything else as these strips demand.
    let of = |start: usize, end: usize| {
        let strips = end.saturating_sub(start);
        [start, end, x_len, lanes, extra(strips), 4 * strips * lanes]
    };
    for (start, end) in [(0, 5), (0, 0), (0, 1), (4, 5), (5, 5)] {
        call = call.accepts(of(start, end));
    }
    for (start, end) in [(0, 6), (5, 6), (6, 6), (2, 1), (5, 4), (usize::MAX, usize::MAX)] {
        call = call.refuses(of(start, end));
    }
    call
}
