//! The output-block product: a strip of 4 outputs × 64 lanes in 16 accumulators.
//!
//! For each tile of 4 columns: 4 rows of the activations, interleaved to quads of bytes by two levels of unpacking, and
//! 16 `vpdpbusd` with 4 broadcast weights. Unpacking works inside blocks of 128 bits, so that quads (and sums) of
//! lanes 16b + 4j .. 16b + 4j + 4 lie in block b of vector j; the strip's end puts the blocks in order.
//!
//! A tile of tokens with 32 or 16 lanes leaves room for the rows of 2 or 4 tiles of columns side by side: `PARTS`. Each
//! has its own weights, and the strip's end adds the parts.

use core::arch::x86_64::*;
use core::array::from_fn;
use core::ops::Range;

use super::Avx512Vnni;
use crate::matrix::OutputBlock;
use crate::vector::Finish;

/// The product with some strips, for tiles of `64 / PARTS` lanes.
///
/// # Safety
/// `strips` lie in the matrix; `x` must be valid for `cols` rows of `64 / PARTS` bytes and `out` for 4 rows of as many
/// floats for each strip; `finish` must be valid for the lanes. The features must be there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn strips<const PARTS: usize>(
    v: Avx512Vnni,
    matrix: &OutputBlock<'_>,
    strips: Range<usize>,
    x: *const i8,
    finish: Finish,
    out: *mut f32,
) {
    let lanes = 64 / PARTS;
    let rows = 4 * strips.start..4 * strips.end;
    let pointers = matrix.pointers().get(strips.start..).unwrap_or(&[]);
    let row = |array| <[_]>::get(array, rows.clone()).unwrap_or(&[]).as_chunks::<4>().0;
    let strips = pointers.iter().zip(pointers.iter().skip(1));
    let (scales, biases) = (row(matrix.scales()).iter(), row(matrix.biases()).iter());
    let sums = matrix.row_sums().get(rows.clone()).unwrap_or(&[]).as_chunks::<4>().0;
    for (i, (((range, scales), biases), sums)) in strips.zip(scales).zip(biases).zip(sums).enumerate() {
        let tiles = Tiles {
            indices: matrix.indices().as_ptr(),
            weights: matrix.weights().as_ptr(),
            range: *range.0 as usize..*range.1 as usize,
        };
        // SAFETY: a validated matrix' pointers stay inside its arrays and its indices below `cols`; the caller
        // vouches for `x`.
        let acc = unsafe { multiply::<PARTS>(tiles, x, sums) };
        for (output, acc) in acc.into_iter().enumerate() {
            // SAFETY: `i` counts the strips, for each of which `out` has 4 rows of `lanes`; `finish` has `lanes`.
            unsafe {
                let out = out.add((4 * i + output) * lanes);
                let (scale, bias) = (scales[output], biases[output]);
                let [a, b, c, d] = in_order(acc);
                match PARTS {
                    1 => finish.row(v, [a, b, c, d], 0, scale, bias, out),
                    2 => {
                        let sums = [_mm512_add_epi32(a, c), _mm512_add_epi32(b, d)];
                        finish.row(v, sums, 0, scale, bias, out);
                    }
                    _ => {
                        let sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
                        finish.row(v, [sum], 0, scale, bias, out);
                    }
                }
            }
        }
    }
}

/// The tiles of a strip.
struct Tiles {
    indices: *const u16,
    weights: *const i8,
    range: Range<usize>,
}

/// Accumulators `[output][vector]` of a strip.
///
/// # Safety
/// The tiles must lie in the arrays, and `x` have a row of `64 / PARTS` bytes for each index.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply<const PARTS: usize>(tiles: Tiles, x: *const i8, sums: &[i32; 4]) -> [[__m512i; 4]; 4] {
    // Each part's rows are biased by 128, but together they hold the row's weights once.
    let mut acc = sums.map(|sum| {
        let start = _mm512_castsi128_si512(_mm_set1_epi32(sum.wrapping_mul(-128)));
        let block = match PARTS {
            1 => _mm512_broadcastd_epi32(_mm512_castsi512_si128(start)),
            2 => _mm512_maskz_broadcastd_epi32(0x00ff, _mm512_castsi512_si128(start)),
            _ => _mm512_maskz_broadcastd_epi32(0x000f, _mm512_castsi512_si128(start)),
        };
        [block; 4]
    });
    let mut tile = tiles.range.start;
    while tile < tiles.range.end {
        // SAFETY: tile `t` has indices 4t .. 4t + 4 and weights 16t .. 16t + 16.
        unsafe {
            let rows = from_fn(|i| load_rows::<PARTS>(&tiles, tile, i, x));
            let quads = interleave(rows);
            for (output, acc) in acc.iter_mut().enumerate() {
                let weights = load_weights::<PARTS>(&tiles, tile, output);
                for (acc, x) in acc.iter_mut().zip(quads) {
                    *acc = _mm512_dpbusd_epi32(*acc, x, weights);
                }
            }
        }
        tile += PARTS;
    }
    acc
}

/// Row `i` of each of `PARTS` tiles, made unsigned. Past the last tile it is that tile's again.
///
/// # Safety
/// As for [`multiply`]; `tile` is below the end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load_rows<const PARTS: usize>(tiles: &Tiles, tile: usize, i: usize, x: *const i8) -> __m512i {
    let row = |part: usize| {
        let tile = (tile + part).min(tiles.range.end - 1);
        // SAFETY: the tile lies in the arrays, and `x` has a row for each index.
        unsafe { x.add(usize::from(*tiles.indices.add(4 * tile + i)) * (64 / PARTS)) }
    };
    // SAFETY: a row has 64 / PARTS bytes.
    let rows = unsafe {
        match PARTS {
            1 => _mm512_loadu_si512(row(0).cast()),
            2 => {
                let low = _mm512_castsi256_si512(_mm256_loadu_si256(row(0).cast()));
                _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(row(1).cast()))
            }
            _ => {
                let rows = _mm512_castsi128_si512(_mm_loadu_si128(row(0).cast()));
                let rows = _mm512_inserti32x4::<1>(rows, _mm_loadu_si128(row(1).cast()));
                let rows = _mm512_inserti32x4::<2>(rows, _mm_loadu_si128(row(2).cast()));
                _mm512_inserti32x4::<3>(rows, _mm_loadu_si128(row(3).cast()))
            }
        }
    };
    _mm512_xor_si512(rows, _mm512_set1_epi8(-128))
}

/// The 4 weights of an output in every lane; for each part those of its tile, past the last tile 0.
///
/// # Safety
/// As for [`multiply`]; `tile` is below the end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load_weights<const PARTS: usize>(tiles: &Tiles, tile: usize, output: usize) -> __m512i {
    let quad = |part: usize| {
        if tile + part < tiles.range.end {
            // SAFETY: the tile lies in the arrays.
            unsafe { tiles.weights.add(16 * (tile + part) + 4 * output).cast::<i32>().read_unaligned() }
        } else {
            0
        }
    };
    let weights = _mm512_set1_epi32(quad(0));
    match PARTS {
        1 => weights,
        2 => _mm512_mask_set1_epi32(weights, 0xff00, quad(1)),
        _ => {
            let weights = _mm512_mask_set1_epi32(weights, 0x00f0, quad(1));
            let weights = _mm512_mask_set1_epi32(weights, 0x0f00, quad(2));
            _mm512_mask_set1_epi32(weights, 0xf000, quad(3))
        }
    }
}

/// Four rows of bytes to quads: byte i of each 32-bit lane from row i.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn interleave([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, ab_high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
    let (cd, cd_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ]
}

/// Transposes blocks of 128 bits: block j of vector b from block b of vector j.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn in_order([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, ab_high) =
        (_mm512_shuffle_i32x4::<0b01_00_01_00>(a, b), _mm512_shuffle_i32x4::<0b11_10_11_10>(a, b));
    let (cd, cd_high) =
        (_mm512_shuffle_i32x4::<0b01_00_01_00>(c, d), _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d));
    [
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd),
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab_high, cd_high),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab_high, cd_high),
    ]
}
