//! Packed matrices: what packing writes, and what validation refuses. (More of the latter in `validation.rs`.)

extern crate alloc;

mod runner;

use blockspan_kernels::matrix::{MAX_PANEL_COLS, Matrix, PackedMatrix, pack_input_block, pack_output_block};
use runner::products::aligned;

/// Where the arrays of a packed matrix begin, in bytes: pointers, indices, weights.
fn places(bytes: &[u8]) -> [usize; 3] {
    let field = |i: usize| u32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()) as usize;
    let (rows, cols, panel_cols, groups) = (field(1), field(2), field(3), field(4));
    let (pointers, indices) =
        if field(0) == 1 { (rows / 4 + 1, 4) } else { (cols.div_ceil(panel_cols) * rows + 1, 1) };
    let after = |at: usize, bytes: usize| at + bytes.next_multiple_of(64);
    let at_pointers = (0..3).fold(64, |at, _| after(at, 4 * rows));
    let at_indices = after(at_pointers, 4 * pointers);
    [at_pointers, at_indices, after(at_indices, indices * groups)]
}

/// The dense weights that the packed bytes stand for.
fn unpack(bytes: &[u8]) -> Vec<i8> {
    let words = aligned(bytes);
    let packed = PackedMatrix::validate(bytemuck::cast_slice(&words)).unwrap();
    match packed.view().unwrap() {
        Matrix::OutputBlock(matrix) => {
            let mut dense = vec![0; matrix.rows() * matrix.cols()];
            for strip in 0..matrix.rows() / 4 {
                for (columns, weights) in matrix.tiles(strip) {
                    for (row, weights) in (4 * strip..).zip(weights.chunks_exact(4)) {
                        for (column, &weight) in columns.into_iter().zip(weights) {
                            dense[row * matrix.cols() + column] += weight;
                        }
                    }
                }
            }
            dense
        }
        Matrix::InputBlock(matrix) => {
            let mut dense = vec![0; matrix.rows() * matrix.cols()];
            for (panel, row) in
                (0..matrix.panels()).flat_map(|panel| (0..matrix.rows()).map(move |row| (panel, row)))
            {
                for (block, weights) in matrix.blocks(panel, row) {
                    let at = row * matrix.cols() + 4 * block;
                    dense[at..at + 4].copy_from_slice(bytemuck::cast_slice(weights));
                }
            }
            dense
        }
    }
}

fn refusal(bytes: &[u8]) -> String {
    let words = aligned(bytes);
    PackedMatrix::validate(bytemuck::cast_slice(&words))
        .err()
        .map_or("none".into(), |error| error.to_string())
}

/// Columns further apart than a byte says, at the start too: 0, 255, 256, 511, …
#[test]
fn distances_of_any_size() {
    // As many as there may be; Miri takes minutes for those.
    const COLS: usize = if cfg!(miri) { 1024 } else { 65_536 };
    for columns in [
        vec![0],
        vec![255],
        vec![256],
        vec![510],
        vec![511],
        vec![COLS - 1],
        vec![0, 255, 510],
        vec![0, 256, 513, COLS - 100],
        vec![1, 2, 3, 4, 300, 301, 302, 303, 304],
        vec![],
    ] {
        let mut dense = vec![0i8; 8 * COLS];
        for (i, &column) in columns.iter().enumerate() {
            // In the first strip all rows, in the second one.
            for row in [0, 1, 2, 3, 6] {
                dense[row * COLS + column] = (i + row + 1) as i8;
            }
        }
        let packed = pack_output_block(&dense, COLS, &[1.0; 8], &[0.0; 8]).unwrap();
        assert!(unpack(&packed) == dense, "{columns:?}");
        let words = aligned(&packed);
        let kept =
            PackedMatrix::validate(bytemuck::cast_slice(&words)).unwrap().view().unwrap().kept_blocks();
        assert_eq!(kept, 2 * columns.len(), "bridges are no blocks");
    }
}

#[test]
fn panels_of_any_width() {
    let (rows, cols) = (4, 2052);
    let dense: Vec<i8> = (0..rows * cols).map(|i| if i / 4 % 5 == 0 { (i % 127) as i8 } else { 0 }).collect();
    for panel_cols in [4, 512, 1020, MAX_PANEL_COLS] {
        let packed = pack_input_block(&dense, cols, panel_cols, &[1.0; 4], &[0.0; 4]).unwrap();
        assert!(unpack(&packed) == dense, "{panel_cols}");
    }
    let error = pack_input_block(&dense, cols, MAX_PANEL_COLS + 4, &[1.0; 4], &[0.0; 4]).unwrap_err();
    assert!(error.to_string().contains("at most 1024"), "{error}");
}

/// A byte more in any place may lead out of the columns, and nowhere else.
#[test]
fn columns_outside_are_refused() {
    let cols = 20;
    let dense = [1i8; 8 * 20];
    let packed = pack_output_block(&dense, cols, &[1.0; 8], &[0.0; 8]).unwrap();
    let [_, indices, weights] = places(&packed);
    assert_eq!(packed[indices..indices + cols], [[0].as_slice(), &[1; 19]].concat());
    assert!(weights - indices >= 2 * cols);
    for at in 0..2 * cols {
        let mut bad = packed.clone();
        bad[indices + at] += 1;
        assert_eq!(refusal(&bad), "a column is not below the number of columns", "{at}");
    }
    // A column less: the last one comes twice, which is legal.
    let mut less = packed.clone();
    less[indices + cols - 1] = 0;
    assert_eq!(refusal(&less), "none");

    // Two panels, the last of 4 columns: 16 + 4.
    let packed = pack_input_block(&dense, cols, 16, &[1.0; 8], &[0.0; 8]).unwrap();
    let [_, indices, _] = places(&packed);
    for (panel, width, first) in [(0, 4, 0), (1, 1, 8 * 4)] {
        for at in first..first + 8 * width {
            let mut bad = packed.clone();
            bad[indices + at] = width as u8;
            assert_eq!(refusal(&bad), "a column index lies outside its panel", "panel {panel}, {at}");
        }
    }
}

#[test]
fn a_panel_wider_than_a_byte_is_refused() {
    let dense = vec![1i8; 4 * 2048];
    let mut packed = pack_input_block(&dense, 2048, 1024, &[1.0; 4], &[0.0; 4]).unwrap();
    packed[12..16].copy_from_slice(&2048u32.to_le_bytes());
    assert!(refusal(&packed).contains("at most 1024"), "{}", refusal(&packed));
}
