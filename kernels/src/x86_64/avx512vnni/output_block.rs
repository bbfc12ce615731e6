//! The output-block product: a strip of 4 outputs × 64 lanes in 16 accumulators.
//!
//! For each tile of 4 columns: 4 rows of the activations, interleaved to quads of bytes by two levels of unpacking, and
//! 16 `vpdpbusd` with 4 broadcast weights. The order of the rows ([`super::rows`]) makes the sums come out in the order
//! of the lanes.
//!
//! Of 48 lanes, the last of the four vectors is neither made nor multiplied. A tile of tokens with 32 or 16 lanes leaves
//! room for the rows of 2 or 4 tiles of columns side by side: [`parts`]. Each has its own weights, and the strip's end
//! adds the parts.

use core::arch::x86_64::*;
use core::array::from_fn;
use core::ops::Range;

use super::super::index::tile_rows_bmi2;
use super::Avx512Vnni;
use crate::layout::row_lanes;
use crate::matrix::OutputBlock;
use crate::operands::{Lanes, OutputBlockOperands};
use crate::vector::{ADD, ADD_AFFINE, MAX, OutputRows, RawEpilogue, STORE};

/// See [`crate::Kernels::output_block`].
pub(super) fn output_block(v: Avx512Vnni, mut operands: OutputBlockOperands<'_>) {
    let epilogue = RawEpilogue::new(&mut operands);
    let OutputBlockOperands { matrix, strips: range, x, out, lanes, .. } = operands;
    let (x, out) = (x.as_ptr(), out.as_mut_ptr());
    // SAFETY: the token proves the instructions. The operands were checked: the strips lie in the matrix, `x` has `cols`
    // rows of `row_lanes(lanes)` bytes, `out` 4 rows of `lanes` floats for each strip, and the scales and the epilogue's
    // slice have `lanes` elements.
    unsafe {
        match (lanes, epilogue.kind()) {
            (Lanes::L64, STORE) => strips::<64, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, ADD) => strips::<64, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, ADD_AFFINE) => strips::<64, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L64, _) => strips::<64, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, STORE) => strips::<48, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, ADD) => strips::<48, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, ADD_AFFINE) => strips::<48, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L48, _) => strips::<48, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, STORE) => strips::<32, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, ADD) => strips::<32, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, ADD_AFFINE) => strips::<32, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L32, _) => strips::<32, MAX>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, STORE) => strips::<16, STORE>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, ADD) => strips::<16, ADD>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, ADD_AFFINE) => strips::<16, ADD_AFFINE>(v, matrix, range, x, epilogue, out),
            (Lanes::L16, _) => strips::<16, MAX>(v, matrix, range, x, epilogue, out),
        }
    }
}

/// Tiles of columns side by side in a vector, for tiles of tokens with `lanes` lanes.
const fn parts(lanes: usize) -> usize {
    64 / row_lanes(lanes)
}

/// The product for tiles of `LANES` lanes.
///
/// # Safety
/// `strips` lie in the matrix; `x` must be valid for `cols` rows of `row_lanes(LANES)` bytes and `out` for 4 rows of
/// `LANES` floats for each strip; `epilogue` must be valid for the lanes and of kind `KIND`. The features must be there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn strips<const LANES: usize, const KIND: u8>(
    v: Avx512Vnni,
    matrix: &OutputBlock<'_>,
    strips: Range<usize>,
    x: *const i8,
    epilogue: RawEpilogue,
    out: *mut f32,
) {
    for (i, strip) in strips.enumerate() {
        // SAFETY: the caller's promises; a validated matrix' pointers, scales, biases and sums have an entry for each
        // strip or row, and the pointers stay inside the tiles, whose columns are below `cols`.
        unsafe {
            let pointers = matrix.pointers().as_ptr().add(strip);
            let tiles = Tiles {
                deltas: matrix.deltas().as_ptr(),
                weights: matrix.weights().as_ptr(),
                range: *pointers as usize..*pointers.add(1) as usize,
            };
            let of_strip = |array: *const f32| *array.add(4 * strip).cast::<[f32; 4]>();
            let rows = OutputRows {
                first: 4 * strip,
                scales: of_strip(matrix.scales().as_ptr()),
                biases: of_strip(matrix.biases().as_ptr()),
                sums: *matrix.row_sums().as_ptr().add(4 * strip).cast(),
            };
            let acc = multiply::<LANES>(tiles, x, &rows.sums);
            let out = out.add(4 * i * LANES);
            match LANES {
                64 => epilogue.finish_kind::<_, KIND, 4, 4>(v, acc, 0, &rows, out, LANES),
                48 => {
                    let acc = acc.map(|[a, b, c, _]| [a, b, c]);
                    epilogue.finish_kind::<_, KIND, 4, 3>(v, acc, 0, &rows, out, LANES);
                }
                32 => {
                    let acc = acc.map(|[a, b, c, d]| [add_halves(a, c), add_halves(b, d)]);
                    epilogue.finish_kind::<_, KIND, 4, 2>(v, acc, 0, &rows, out, LANES);
                }
                _ => {
                    let acc = acc.map(|[a, b, c, d]| [add_blocks(add_halves(a, b), add_halves(c, d))]);
                    epilogue.finish_kind::<_, KIND, 4, 1>(v, acc, 0, &rows, out, LANES);
                }
            }
        }
    }
}

/// Accumulators `[output][vector]` of a strip.
type StripSums = [[__m512i; 4]; 4];

/// The tiles of a strip.
struct Tiles {
    deltas: *const u8,
    weights: *const i8,
    range: Range<usize>,
}

/// The accumulators of a strip.
///
/// # Safety
/// The tiles must lie in the arrays, and `x` have a row of `row_lanes(LANES)` bytes for each of their columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn multiply<const LANES: usize>(tiles: Tiles, x: *const i8, sums: &[i32; 4]) -> StripSums {
    let parts = const { parts(LANES) };
    // Every part's activations are biased by 128, but together they meet the row's weights once.
    let first_part = 0xffff >> (16 - 16 / parts);
    let mut acc = sums.map(|sum| [_mm512_maskz_set1_epi32(first_part, sum.wrapping_mul(-128)); 4]);
    let Range { start, end } = tiles.range;
    if start == end {
        return acc;
    }
    let (mut tile, mut cursor, mut weights) =
        // SAFETY: the tiles lie in the arrays.
        unsafe { (start, Cursor { deltas: tiles.deltas.add(4 * start), row: x }, tiles.weights.add(16 * start)) };
    // SAFETY: as above. The quads of the next tiles are loaded before the current ones are multiplied, so that the
    // multiplications never wait; after all tiles but the last, at least one is left.
    unsafe {
        let mut quads = load_quads::<LANES>(&mut cursor, (end - tile).min(parts));
        while tile + 2 * parts <= end {
            tile += parts;
            let next = load_quads::<LANES>(&mut cursor, parts);
            multiply_add::<LANES>(&mut acc, quads, load_weights::<LANES>(weights, parts));
            // Of an address outside of everything, it does nothing.
            _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add(AHEAD));
            weights = weights.add(16 * parts);
            quads = next;
        }
        if parts > 1 && tile + parts < end {
            multiply_add::<LANES>(&mut acc, quads, load_weights::<LANES>(weights, parts));
            tile += parts;
            quads = load_quads::<LANES>(&mut cursor, end - tile);
            weights = weights.add(16 * parts);
        }
        multiply_add::<LANES>(&mut acc, quads, load_weights::<LANES>(weights, end - tile));
    }
    acc
}

/// How far ahead of the products weights are fetched, in bytes: they stream from memory, once for each tile of tokens,
/// and the hardware's own prefetching loses time at every page.
const AHEAD: usize = 4096;

/// Adds the products of a group of tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiply_add<const LANES: usize>(acc: &mut StripSums, quads: [__m512i; 4], weights: [__m512i; 4]) {
    let vectors = if LANES == 48 { 3 } else { 4 };
    for (acc, weights) in acc.iter_mut().zip(weights) {
        for (acc, x) in acc.iter_mut().zip(quads).take(vectors) {
            *acc = _mm512_dpbusd_epi32(*acc, x, weights);
        }
    }
}

/// Where the loop over a strip's tiles is.
struct Cursor {
    /// The next tile's.
    deltas: *const u8,
    /// The row of the last column before it, in the activations.
    row: *const i8,
}

impl Cursor {
    /// The rows of the next tile.
    ///
    /// # Safety
    /// There is one, and the activations have its rows, of `1 << SHIFT` bytes each. The CPU must have BMI2.
    #[inline(always)]
    unsafe fn tile<const SHIFT: u32>(&mut self) -> [*const i8; 4] {
        // SAFETY: the caller's promise.
        let [a, b, c, d] = unsafe { tile_rows_bmi2::<SHIFT>(self.deltas) };
        let rows = [a, b, c, d].map(|at| self.row.wrapping_add(at));
        self.deltas = self.deltas.wrapping_add(4);
        self.row = self.row.wrapping_add(d);
        rows
    }
}

/// The quads of the next `count` tiles side by side, at most [`parts`]; where there are fewer, the last row in place of
/// the others.
///
/// # Safety
/// The strip has `count` more tiles, not 0, and the activations a row of `row_lanes(LANES)` bytes for each of their
/// columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load_quads<const LANES: usize>(cursor: &mut Cursor, count: usize) -> [__m512i; 4] {
    // SAFETY: the caller's promise; a row has `row_lanes(LANES)` bytes.
    let rows = unsafe {
        match LANES {
            48 | 64 => cursor.tile::<6>().map(|row| _mm512_loadu_si512(row.cast())),
            32 => {
                let low = cursor.tile::<5>();
                let high = if count > 1 { cursor.tile::<5>() } else { [cursor.row; 4] };
                let row = |i: usize| {
                    let low = _mm512_castsi256_si512(_mm256_loadu_si256(low[i].cast()));
                    _mm512_mask_broadcast_i64x4(low, 0xf0, _mm256_loadu_si256(high[i].cast()))
                };
                [row(0), row(1), row(2), row(3)]
            }
            _ => {
                // One tile after the other, or the sixteen places would not fit into registers; in halves, since inserting
                // into 256 bits is half the work for units of 256 bits (Zen 4).
                let mut tile = |part: usize| if part < count { cursor.tile::<4>() } else { [cursor.row; 4] };
                let mut low = tile(0).map(|row| _mm256_castsi128_si256(_mm_loadu_si128(row.cast())));
                for (row, second) in low.iter_mut().zip(tile(1)) {
                    *row = _mm256_inserti128_si256::<1>(*row, _mm_loadu_si128(second.cast()));
                }
                let mut high = tile(2).map(|row| _mm256_castsi128_si256(_mm_loadu_si128(row.cast())));
                for (row, fourth) in high.iter_mut().zip(tile(3)) {
                    *row = _mm256_inserti128_si256::<1>(*row, _mm_loadu_si128(fourth.cast()));
                }
                from_fn(|i| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low[i]), high[i]))
            }
        }
    };
    interleave(rows)
}

/// For each output its 4 weights in every lane, or in the lanes of a part those of its tile.
///
/// # Safety
/// `from` must be valid for reads of `16 · count` bytes; `count` is not 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn load_weights<const LANES: usize>(from: *const i8, count: usize) -> [__m512i; 4] {
    if parts(LANES) == 1 {
        return from_fn(|output| {
            // SAFETY: 4 of the tile's 16 bytes.
            _mm512_set1_epi32(unsafe { from.add(4 * output).cast::<i32>().read_unaligned() })
        });
    }
    let mask = 0xffff >> (16 - 4 * count);
    // SAFETY: the mask leaves the `count` tiles' bytes.
    let tiles = unsafe { _mm512_maskz_loadu_epi32(mask, from.cast()) };
    let tiles = match LANES {
        32 => _mm512_shuffle_i64x2::<0b01_01_00_00>(tiles, tiles),
        _ => tiles,
    };
    [
        _mm512_shuffle_epi32::<0x00>(tiles),
        _mm512_shuffle_epi32::<0x55>(tiles),
        _mm512_shuffle_epi32::<0xaa>(tiles),
        _mm512_shuffle_epi32::<0xff>(tiles),
    ]
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

/// The low halves of both side by side, plus the high halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_halves(a: __m512i, b: __m512i) -> __m512i {
    let low = _mm512_shuffle_i64x2::<0b01_00_01_00>(a, b);
    _mm512_add_epi32(low, _mm512_shuffle_i64x2::<0b11_10_11_10>(a, b))
}

/// The even blocks of 128 bits of both side by side, plus the odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_blocks(a: __m512i, b: __m512i) -> __m512i {
    let even = _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
    _mm512_add_epi32(even, _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b))
}
