//! The input-block product: one output × 4 vectors of lanes, two blocks at a time.
//!
//! As with wider vectors, loads bound it, and all rows of a chunk are done for one panel of columns before the next,
//! with their sums in a buffer on the stack.

use core::ops::Range;

use super::Dot;
use crate::matrix::InputBlock;
use crate::operands::InputBlockOperands;
use crate::vector::{OutputRows, RawEpilogue};

/// Rows whose sums wait in the buffer, 2 to 4 KiB.
const CHUNK: usize = 32;

/// Vectors of lanes side by side.
const K: usize = 4;

/// See [`crate::Kernels::input_block`].
#[inline(always)]
pub(in super::super) fn input_block<D: Dot>(d: D, mut operands: InputBlockOperands<'_>) {
    let epilogue = RawEpilogue::new(&mut operands);
    let InputBlockOperands { matrix, strips, x, out, lanes, .. } = operands;
    let (lanes, x) = (lanes.get(), x.as_ptr());
    let range = 4 * strips.start..4 * strips.end;
    let wide = lanes / (K * D::LANES) * (K * D::LANES);
    for (first, out) in range.clone().step_by(CHUNK).zip(out.chunks_mut(CHUNK * lanes)) {
        let (chunk, out) = (first..range.end.min(first + CHUNK), out.as_mut_ptr());
        // SAFETY: the operands were checked: `range` are rows of the matrix, `x` has `cols / 4` rows of `lanes` quads and
        // `out` a row of `lanes` floats for each row of the chunk; the columns are inside the `lanes`.
        unsafe {
            for column in (0..wide).step_by(K * D::LANES) {
                columns::<D, K>(d, matrix, chunk.clone(), lanes, column, x, epilogue, out);
            }
            // 16 lanes of 256-bit vectors.
            for column in (wide..lanes).step_by(2 * D::LANES) {
                columns::<D, 2>(d, matrix, chunk.clone(), lanes, column, x, epilogue, out);
            }
        }
    }
}

/// `K` vectors of each row from lane `column` on; `out` is the chunk's.
///
/// # Safety
/// The chunk are rows of the matrix, at most [`CHUNK`]; `x` must be valid for `cols / 4` rows of `lanes` quads and `out`
/// for a row of `lanes` floats for each row of the chunk; the epilogue must be valid for the lanes, of which the columns
/// are some.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of a product and the place in them")]
unsafe fn columns<D: Dot, const K: usize>(
    d: D,
    matrix: &InputBlock<'_>,
    chunk: Range<usize>,
    lanes: usize,
    column: usize,
    x: *const i8,
    epilogue: RawEpilogue,
    out: *mut f32,
) {
    let mut waiting = [[d.splat_i32(0); K]; CHUNK];
    for panel in 0..matrix.panels() {
        for (row, waiting) in chunk.clone().zip(&mut waiting) {
            // SAFETY: a validated matrix has a pointer for each row of each panel and one more, which stay inside its
            // arrays, and a sum for each row; its indices are below `cols / 4`.
            unsafe {
                if panel == 0 {
                    let sum: i32 = *matrix.row_sums().as_ptr().add(row);
                    *waiting = [d.splat_i32(sum.wrapping_mul(D::SIGNED_START)); K];
                }
                let pointers = matrix.pointers().as_ptr().add(panel * matrix.rows() + row);
                let blocks = *pointers as usize..*pointers.add(1) as usize;
                let x = x.add(panel * matrix.panel_cols() * lanes + 4 * column);
                multiply(d, matrix, blocks, lanes, x, waiting);
            }
        }
    }
    for (i, (row, acc)) in chunk.zip(waiting).enumerate() {
        // SAFETY: a validated matrix has a scale, a bias and a sum for each row. The caller vouches for the rest.
        unsafe {
            let rows = OutputRows {
                first: row,
                scales: [*matrix.scales().as_ptr().add(row)],
                biases: [*matrix.biases().as_ptr().add(row)],
                sums: [*matrix.row_sums().as_ptr().add(row)],
            };
            epilogue.finish(d, [acc], column, &rows, out.add(i * lanes), lanes);
        }
    }
}

/// Adds the products of some blocks of a row.
///
/// # Safety
/// The blocks must lie in a panel of the matrix and `x`, which starts with that panel, be valid for `K` vectors in the
/// row of quads of each index.
#[inline(always)]
unsafe fn multiply<D: Dot, const K: usize>(
    d: D,
    matrix: &InputBlock<'_>,
    blocks: Range<usize>,
    lanes: usize,
    x: *const i8,
    sums: &mut [D::I32; K],
) {
    let (mut even, mut odd) = (*sums, [d.splat_i32(0); K]);
    // SAFETY: block `b` has index b and weights 4b .. 4b + 4.
    unsafe {
        let mut indices = matrix.indices().as_ptr().add(blocks.start);
        let mut weights = matrix.weights().as_ptr().add(4 * blocks.start);
        for _ in 0..blocks.len() / 2 {
            block(d, &mut even, x.add(usize::from(*indices) * 4 * lanes), weights);
            block(d, &mut odd, x.add(usize::from(*indices.add(1)) * 4 * lanes), weights.add(4));
            (indices, weights) = (indices.add(2), weights.add(8));
        }
        if !blocks.len().is_multiple_of(2) {
            block(d, &mut even, x.add(usize::from(*indices) * 4 * lanes), weights);
        }
    }
    for ((sum, even), odd) in sums.iter_mut().zip(even).zip(odd) {
        *sum = d.add_i32(even, odd);
    }
}

/// One block.
///
/// # Safety
/// `x` must be valid for `K` vectors and `weights` for 4 bytes.
#[inline(always)]
unsafe fn block<D: Dot, const K: usize>(d: D, acc: &mut [D::I32; K], x: *const i8, weights: *const i8) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = d.splat_i32(weights.cast::<i32>().read_unaligned());
        for (k, acc) in acc.iter_mut().enumerate() {
            *acc = d.dot(*acc, d.signed(d.load_i32(x.cast::<i32>().add(k * D::LANES))), weights);
        }
    }
}
