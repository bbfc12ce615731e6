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
use crate::operands::{InputBlockOperands, Lanes};
use crate::vector::{ADD, ADD_AFFINE, MAX, OutputRows, RawEpilogue, STORE};

/// Rows whose sums wait in the buffer: 16 KiB for 64 lanes.
const CHUNK: usize = 64;

/// See [`crate::Kernels::input_block`].
pub(super) fn input_block(v: Avx512Vnni, mut operands: InputBlockOperands<'_>) {
    let epilogue = RawEpilogue::new(&mut operands);
    let InputBlockOperands { matrix, strips, x, out, lanes, .. } = operands;
    let (range, x, out) = (4 * strips.start..4 * strips.end, x.as_ptr(), out.as_mut_ptr());
    // SAFETY: the token proves the instructions. The operands were checked: `range` are rows of the matrix, a multiple of
    // 4 of them, `x` has `cols / 4` rows of `lanes` quads, `out` a row of `lanes` floats for each row, and the scales and
    // the epilogue's slice have `lanes` elements.
    unsafe {
        match (lanes, epilogue.kind()) {
            (Lanes::L64, STORE) => rows::<4, 2, 8, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, ADD) => rows::<4, 2, 8, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, ADD_AFFINE) => rows::<4, 2, 8, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, _) => rows::<4, 2, 8, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, STORE) => rows::<3, 2, 6, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, ADD) => rows::<3, 2, 6, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, ADD_AFFINE) => rows::<3, 2, 6, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, _) => rows::<3, 2, 6, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, STORE) => rows::<2, 4, 7, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, ADD) => rows::<2, 4, 7, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, ADD_AFFINE) => rows::<2, 4, 7, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, _) => rows::<2, 4, 7, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, STORE) => rows::<1, 4, 6, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, ADD) => rows::<1, 4, 6, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, ADD_AFFINE) => rows::<1, 4, 6, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, _) => rows::<1, 4, 6, MAX>(v, matrix, range, x, epilogue, out),
        }
    }
}

/// The product for tiles of `16 · K` lanes with `SETS` sets of accumulators; a row of quads has `64 · K` bytes, a multiple
/// of `1 << SHIFT`.
///
/// # Safety
/// `range` are rows of the matrix, a multiple of 4 of them; `x` must be valid for `cols / 4` rows of quads and `out` for a
/// row of `16 · K` floats for each row; `epilogue` must be valid for the lanes and of kind `KIND`. The features must be
/// there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn rows<const K: usize, const SETS: usize, const SHIFT: u32, const KIND: u8>(
    v: Avx512Vnni,
    matrix: &InputBlock<'_>,
    range: Range<usize>,
    x: *const i8,
    epilogue: RawEpilogue,
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
            // SAFETY: a validated matrix has a scale, a bias and a sum for each row; the rows' number is even. The caller
            // vouches for the rest.
            unsafe {
                let rows: OutputRows<2> = OutputRows {
                    first: row,
                    scales: *matrix.scales().as_ptr().add(row).cast(),
                    biases: *matrix.biases().as_ptr().add(row).cast(),
                    sums: *matrix.row_sums().as_ptr().add(row).cast(),
                };
                epilogue.finish_kind::<_, KIND, 2, K>(
                    v,
                    *acc,
                    0,
                    &rows,
                    out.add((row - first) * 16 * K),
                    16 * K,
                );
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
