//! AVX-512 BF16: dense products in bf16, see [`crate::dense_bf16`].
//!
//! A tile is 8 rows by 48 columns in 24 accumulators: 3 loads and 8 broadcasts for 24 `vdpbf16ps`. The left matrix is
//! rounded in blocks of [`BLOCK_ROWS`] rows and [`BLOCK_PAIRS`] pairs (192 KB, for L2), in strips of 8 rows; the part of a
//! panel that a block meets (72 KB at most) is gone through once for each strip.

mod pack;
mod vector;

use alloc::vec;
use core::arch::x86_64::*;

use super::cpuid::Features;
use crate::dense_bf16::{BLOCK_ROWS, Matrix, PANEL_COLUMNS, PackedMatrix};
use pack::{Places, pack};
use vector::{broadcast, load, load_part, store_part};

/// Proof that the AVX-512 BF16 instructions (`vdpbf16ps`, `vcvtne2ps2bf16`) can be used, beside all that
/// [`Avx512Vnni`](super::Avx512Vnni) proves.
#[derive(Clone, Copy, Debug)]
pub struct Avx512Bf16(());

/// Rows of a tile.
const STRIP_ROWS: usize = 8;

/// Pairs of a row that are multiplied at a time.
const BLOCK_PAIRS: usize = 384;

impl Avx512Bf16 {
    /// The token, if the processor has the instructions and the operating system saves their registers.
    pub fn new() -> Option<Self> {
        Features::detect().avx512bf16.then_some(Self(()))
    }

    /// Packs the columns of a panel, which are the rows of `columns`.
    pub(crate) fn pack_panel(self, columns: Matrix<'_>, out: &mut [u32]) {
        out.fill(0);
        let pairs = out.len() / PANEL_COLUMNS;
        // SAFETY: the token proves that the instructions can be used.
        unsafe { pack(columns, 0..pairs, Places::PANEL, out) }
    }

    /// See [`crate::dense_bf16::Bf16Products::product`]. The operands fit each other, and the result has an element.
    pub(crate) fn product(self, a: Matrix<'_>, b: PackedMatrix<'_>, out: &mut [f32]) {
        // SAFETY: the token proves that the instructions can be used.
        unsafe { product(a, b, out) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn product(a: Matrix<'_>, b: PackedMatrix<'_>, out: &mut [f32]) {
    let ([rows, depth], columns) = (a.shape(), b.columns());
    let pairs = depth.div_ceil(2);
    if pairs == 0 {
        return out.fill(0.0);
    }
    // Blocks of about equal size.
    let block_pairs = pairs.div_ceil(pairs.div_ceil(BLOCK_PAIRS));
    let mut block = vec![0; rows.min(BLOCK_ROWS).next_multiple_of(16) * block_pairs];
    for (index, out) in out.chunks_mut(BLOCK_ROWS * columns).enumerate() {
        let rows = a.rows(index * BLOCK_ROWS..(index + 1) * BLOCK_ROWS);
        for start in (0..pairs).step_by(block_pairs) {
            let end = pairs.min(start + block_pairs);
            let count = end - start;
            let block = &mut block[..rows.shape()[0].next_multiple_of(16) * count];
            pack(rows, start..end, Places::strips(count), block);
            for (panel, at) in (0..columns).step_by(PANEL_COLUMNS).enumerate() {
                let panel = b.panel(panel, start..end);
                let width = PANEL_COLUMNS.min(columns - at);
                let strips = out.chunks_mut(STRIP_ROWS * columns).zip(block.chunks_exact(STRIP_ROWS * count));
                for (out, strip) in strips {
                    let out = Tile { out, stride: columns, at, width, is_first: start == 0 };
                    match width.div_ceil(16) {
                        1 => tile::<1>(strip, panel, out),
                        2 => tile::<2>(strip, panel, out),
                        _ => tile::<3>(strip, panel, out),
                    }
                }
            }
        }
    }
}

/// Where the values of a tile are.
struct Tile<'a> {
    /// Whole rows of the result, as many as the tile has.
    out: &'a mut [f32],
    /// Columns of the result.
    stride: usize,
    /// The first column, and their number.
    at: usize,
    width: usize,
    /// Whether the sums begin here, or go on from the result.
    is_first: bool,
}

/// Adds the products of a strip of rows and a panel of columns to a tile of `VECTORS` · 16 columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn tile<const VECTORS: usize>(strip: &[u32], panel: &[u32], tile: Tile<'_>) {
    let Tile { out, stride, at, width, is_first } = tile;
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; STRIP_ROWS];
    if !is_first {
        for (sums, out) in sums.iter_mut().zip(out.chunks_exact(stride)) {
            for (sums, out) in sums.iter_mut().zip(out[at..at + width].chunks(16)) {
                *sums = load_part(out);
            }
        }
    }
    let (rows, _) = strip.as_chunks::<STRIP_ROWS>();
    let (columns, _) = panel.as_chunks::<PANEL_COLUMNS>();
    for (row, columns) in rows.iter().zip(columns) {
        let (columns, _) = columns.as_chunks::<16>();
        let mut b = [broadcast(0); VECTORS];
        for (b, columns) in b.iter_mut().zip(columns) {
            *b = load(columns);
        }
        for i in 0..STRIP_ROWS {
            let a = broadcast(row[i]);
            for j in 0..VECTORS {
                sums[i][j] = _mm512_dpbf16_ps(sums[i][j], a, b[j]);
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(stride)) {
        for (sums, out) in sums.iter().zip(out[at..at + width].chunks_mut(16)) {
            store_part(out, *sums);
        }
    }
}
