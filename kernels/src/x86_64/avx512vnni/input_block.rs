//! The input-block product: one output × 64 lanes, four blocks at a time.
//!
//! A block is 4 vectors of activations and 4 `vpdpbusd`; nothing is shared between outputs, so that loads bound it (2 a
//! cycle at best) and the activations of a panel of columns should lie in L1. Rows are done in chunks: for each panel
//! all rows of the chunk, whose sums wait in a buffer on the stack.

use core::arch::x86_64::*;
use core::ops::Range;

use super::super::index::block_rows;
use super::Avx512Vnni;
use crate::matrix::InputBlock;
use crate::vector::{ADD, Finish, MOST, Rows, STORE};

/// Rows whose sums wait in the buffer: 16 KiB for 64 lanes.
const CHUNK: usize = 64;

/// The product with some rows.
///
/// # Safety
/// `range` are rows of the matrix, a multiple of 4 of them; `lanes` is 16, 32, 48 or 64; `x` must be valid for `cols / 4`
/// rows of `lanes` quads and `out` for a row of `lanes` floats for each row; `finish` must be valid for the lanes. The
/// features must be there.
pub(super) unsafe fn product(
    v: Avx512Vnni,
    matrix: &InputBlock<'_>,
    range: Range<usize>,
    lanes: usize,
    x: *const i8,
    finish: Finish,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (lanes, finish.kind()) {
            (64, STORE) => rows::<4, 2, 8, STORE>(v, matrix, range, x, finish, out),
            (64, ADD) => rows::<4, 2, 8, ADD>(v, matrix, range, x, finish, out),
            (64, _) => rows::<4, 2, 8, MOST>(v, matrix, range, x, finish, out),
            (48, STORE) => rows::<3, 2, 6, STORE>(v, matrix, range, x, finish, out),
            (48, ADD) => rows::<3, 2, 6, ADD>(v, matrix, range, x, finish, out),
            (48, _) => rows::<3, 2, 6, MOST>(v, matrix, range, x, finish, out),
            (32, STORE) => rows::<2, 4, 7, STORE>(v, matrix, range, x, finish, out),
            (32, ADD) => rows::<2, 4, 7, ADD>(v, matrix, range, x, finish, out),
            (32, _) => rows::<2, 4, 7, MOST>(v, matrix, range, x, finish, out),
            (_, STORE) => rows::<1, 4, 6, STORE>(v, matrix, range, x, finish, out),
            (_, ADD) => rows::<1, 4, 6, ADD>(v, matrix, range, x, finish, out),
            (_, _) => rows::<1, 4, 6, MOST>(v, matrix, range, x, finish, out),
        }
    }
}

/// The product for tiles of `16 · K` lanes with `SETS` sets of accumulators; a row of quads has `64 · K` bytes, a multiple
/// of `1 << SHIFT`.
///
/// # Safety
/// As for [`product`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn rows<const K: usize, const SETS: usize, const SHIFT: u32, const KIND: u8>(
    v: Avx512Vnni,
    matrix: &InputBlock<'_>,
    range: Range<usize>,
    x: *const i8,
    finish: Finish,
    mut out: *mut f32,
) {
    let mut waiting = [[_mm512_setzero_si512(); K]; CHUNK];
    for first in range.clone().step_by(CHUNK) {
        let chunk = first..range.end.min(first + CHUNK);
        for panel in 0..matrix.panels() {
            for (row, waiting) in chunk.clone().zip(&mut waiting) {
                // SAFETY: a validated matrix has a pointer for each row of each panel and one more, which stay inside its
                // arrays, and a sum for each row.
                unsafe {
                    let pointers = matrix.pointers().as_ptr().add(panel * matrix.rows() + row);
                    let start = if panel == 0 {
                        let sum: i32 = *matrix.row_sums().as_ptr().add(row);
                        [_mm512_set1_epi32(sum.wrapping_mul(-128)); K]
                    } else {
                        *waiting
                    };
                    let blocks = *pointers as usize..*pointers.add(1) as usize;
                    // `panel_cols / 4` rows of quads.
                    let x = x.add(panel * matrix.panel_cols() / 4 * 64 * K);
                    *waiting = multiply::<K, SETS, SHIFT>(matrix, blocks, x, start);
                }
            }
        }
        for (row, acc) in chunk.clone().step_by(2).zip(waiting.as_chunks().0) {
            // SAFETY: a validated matrix has a scale and a bias for each row; the rows' number is even. The caller
            // vouches for the rest.
            unsafe {
                let rows: Rows<2> = Rows {
                    first: row,
                    scales: *matrix.scales().as_ptr().add(row).cast(),
                    biases: *matrix.biases().as_ptr().add(row).cast(),
                };
                finish.rows::<_, KIND, 2, K>(v, *acc, 0, &rows, out.add((row - first) * 16 * K), 16 * K);
            }
        }
        out = out.wrapping_add(chunk.len() * 16 * K);
    }
}

/// `start` plus the products of some blocks of a row.
///
/// # Safety
/// The blocks must lie in a panel of the matrix and `x`, which starts with that panel, have `4 · 16 · K` bytes for each
/// index.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply<const K: usize, const SETS: usize, const SHIFT: u32>(
    matrix: &InputBlock<'_>,
    blocks: Range<usize>,
    x: *const i8,
    start: [__m512i; K],
) -> [__m512i; K] {
    // Three vectors are not a power of two.
    let times = (64 * K) >> SHIFT;
    let mut acc = [[_mm512_setzero_si512(); K]; SETS];
    acc[0] = start;
    // SAFETY: block `b` has index b and weights 4b .. 4b + 4.
    unsafe {
        let (mut indices, mut weights) =
            (matrix.indices().as_ptr().add(blocks.start), matrix.weights().as_ptr().add(4 * blocks.start));
        let mut left = blocks.len();
        while left >= 4 {
            let [a, b, c, d] = block_rows::<SHIFT>(indices);
            multiply_add(&mut acc[0], x.add(times * a), weights);
            multiply_add(&mut acc[1], x.add(times * b), weights.add(4));
            multiply_add(&mut acc[2 % SETS], x.add(times * c), weights.add(8));
            multiply_add(&mut acc[3 % SETS], x.add(times * d), weights.add(12));
            (indices, weights, left) = (indices.add(4), weights.add(16), left - 4);
        }
        while left > 0 {
            multiply_add(&mut acc[0], x.add(usize::from(*indices) * 64 * K), weights);
            (indices, weights, left) = (indices.add(1), weights.add(4), left - 1);
        }
    }
    let mut sum = acc[0];
    for set in acc.iter().skip(1) {
        for (sum, acc) in sum.iter_mut().zip(set) {
            *sum = _mm512_add_epi32(*sum, *acc);
        }
    }
    sum
}

/// One block.
///
/// # Safety
/// `x` must be valid for `K` vectors and `weights` for 4 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply_add<const K: usize>(acc: &mut [__m512i; K], x: *const i8, weights: *const i8) {
    // SAFETY: the caller's promise.
    let weights = _mm512_set1_epi32(unsafe { weights.cast::<i32>().read_unaligned() });
    for (k, acc) in acc.iter_mut().enumerate() {
        // SAFETY: as above.
        let x = unsafe { _mm512_loadu_si512(x.add(64 * k).cast()) };
        *acc = _mm512_dpbusd_epi32(*acc, _mm512_xor_si512(x, _mm512_set1_epi8(-128)), weights);
    }
}
