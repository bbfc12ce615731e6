//! Sizes whose product exceeds `usize` and wraps around to that of the slice in question.

use alloc::vec;

use alloc::string::ToString;

use blockspan_kernels::matrix::{MAX_DIM, PackedMatrix, pack_input_block, pack_output_block};
use blockspan_kernels::{DenseRows, Embeddings, Kernels, Table};

/// So many rows of 64 lanes are 2^32 elements.
const ROWS: usize = 1 << 26;

#[track_caller]
pub fn check(kernels: &dyn Kernels) {
    let table = Table::I8 { values: &[1; 640], scales: &[1.0; 10] };
    let half = Table::F16(&[0; 640]);
    for (word, token_type) in [(table, half), (half, table)] {
        let tables = Embeddings { word, token_type, position: half };
        let ids = [[0, 0], [ROWS as u32 - 1, 0], [0, ROWS as u32 - 1]];
        for id in &ids[1..] {
            let out = &mut [7.0; 64 * 16];
            assert!(kernels.embed(&tables, &[*id], 0, 16, out).is_err(), "{id:?}, 64 features a row");
        }
        let result = kernels.embed(&tables, &ids[..1], ROWS - 1, 16, &mut [7.0; 64 * 16]);
        assert!(result.is_err(), "position {}, 64 features a row", ROWS - 1);
    }
    let (scales, bias) = (vec![1.0; 1 << 16], vec![0.0; 1 << 16]);
    assert!(
        pack_output_block(&[], 1 << 16, &scales, &bias).is_err(),
        "a matrix of 2^16 × 2^16 without weights"
    );
    assert!(
        pack_input_block(&[], 1 << 16, 512, &scales, &bias).is_err(),
        "a matrix of 2^16 × 2^16 without weights"
    );
    // On larger machines the slices would have to be.
    if usize::BITS == 32 {
        check_slices(kernels);
        check_headers();
    }
}

/// Headers of matrices whose arrays are longer than an address is, and of the largest ones that are not.
fn check_headers() {
    let max = MAX_DIM as u32;
    for (pattern, cols, panel_cols, groups, too_large) in [
        (1, max, max, 1 << 30, true),
        (1, max, max, 1 << 26, true),
        (1, max, max, (1 << 26) - 1, false),
        (2, max, 1024, 1 << 26, true),
        (2, max, 1024, (1 << 26) - 1, false),
        (2, max, 4, 0, true),
        (2, 4 * 1024, 4, 0, true),
        (2, 4 * 1023, 4, 0, false),
    ] {
        let mut header = [0; 16];
        header[..5].copy_from_slice(&[pattern, max, cols, panel_cols, groups]);
        let error = PackedMatrix::validate(bytemuck::cast_slice(&header)).unwrap_err().to_string();
        let expected = if too_large { "address space" } else { "length differs" };
        assert!(error.contains(expected), "{header:?}: {error}");
    }
}

/// With slices of 256 MiB.
fn check_slices(kernels: &dyn Kernels) {
    let many = vec![0f32; ROWS];
    assert!(
        kernels.linear_f32(&many, &[0.0], &[], &mut [7.0; 64]).is_err(),
        "an output layer of 2^26 features without activations"
    );
    assert!(
        kernels.layer_norm(&mut [], &many, &many, 1e-5, &mut [7.0; 64]).is_err(),
        "2^26 features of gamma and beta without activations"
    );
    let rows =
        DenseRows { values: &[], stride: 0, cols: 0, sums: bytemuck::cast_slice(&many), scales: &many };
    assert!(
        kernels.scores(&rows, &[], &[1.0; 64], &mut [7; 64], &mut []).is_err(),
        "scores of 2^26 keys without room for them"
    );
    assert!(
        kernels.context(&rows, &[], &[1.0; 64], &mut []).is_err(),
        "a context of 2^26 channels without room for it"
    );
}
