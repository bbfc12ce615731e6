//! Products with `i32x4.dot_i16x8_s`: 8 multiply-accumulates and an addition.
//!
//! Bytes are widened to 16 bits first, which is exact for signed and unsigned alike. Engines map these vectors to the
//! 16 registers of x86-64, so 8 sums are kept and 16 lanes are done in two halves.

use core::arch::wasm32::*;

use super::Simd128;
use crate::products128::{DenseRest, Products, RowBlocks, StripTiles, advance};

/// Sums of 16 lanes.
type Sums = [v128; 4];

impl Products for Simd128 {
    /// 8 sums; 4 vectors of inputs, 1 of weights.
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &StripTiles<'_>,
        x: *const i8,
        out: &mut [Sums; 4],
    ) {
        for half in 0..2 {
            let mut sums = [[i32x4_splat(0); 2]; 4];
            let mut x = x.wrapping_add(8 * half);
            for (deltas, weights) in strip.deltas.iter().zip(strip.weights) {
                // SAFETY: 16 bytes at each column, by the caller's promise; these are the half's 8.
                let load = |x: *const i8| unsafe { v128_load64_zero(x.cast()) };
                let [a, b, c, d] = advance::<LANES>(&mut x, deltas).map(load);
                let (first, last) = (interleave(a, b), interleave(c, d));
                let first = [i16x8_extend_low_i8x16(first), i16x8_extend_high_i8x16(first)];
                let last = [i16x8_extend_low_i8x16(last), i16x8_extend_high_i8x16(last)];
                // SAFETY: an array of 16 bytes.
                let weights = unsafe { v128_load(weights.as_ptr().cast()) };
                let [low, high] = [i16x8_extend_low_i8x16(weights), i16x8_extend_high_i8x16(weights)];
                let [sums0, sums1, sums2, sums3] = &mut sums;
                add_products(sums0, first, i32x4_shuffle::<0, 0, 0, 0>(low, low));
                add_products(sums0, last, i32x4_shuffle::<1, 1, 1, 1>(low, low));
                add_products(sums1, first, i32x4_shuffle::<2, 2, 2, 2>(low, low));
                add_products(sums1, last, i32x4_shuffle::<3, 3, 3, 3>(low, low));
                add_products(sums2, first, i32x4_shuffle::<0, 0, 0, 0>(high, high));
                add_products(sums2, last, i32x4_shuffle::<1, 1, 1, 1>(high, high));
                add_products(sums3, first, i32x4_shuffle::<2, 2, 2, 2>(high, high));
                add_products(sums3, last, i32x4_shuffle::<3, 3, 3, 3>(high, high));
            }
            for (out, sums) in out.iter_mut().zip(sums) {
                out.iter_mut().skip(2 * half).zip(sums).for_each(|(out, sum)| *out = sum);
            }
        }
    }

    /// 8 sums, two for each lane, for 16 lanes at a time; 1 vector of weights.
    unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
        self,
        row: &RowBlocks<'_>,
        x: *const i8,
        out: &mut [Sums; GROUPS],
    ) {
        for (group, out) in out.iter_mut().enumerate() {
            let mut sums = [[i32x4_splat(0); 2]; 4];
            for (x, indices, weights) in row.panels::<LANES>(x) {
                for (&index, weights) in indices.iter().zip(weights) {
                    let weights = broadcast(i32::from_le_bytes(weights.map(i8::cast_unsigned)));
                    let start = usize::from(index) * 4 * LANES + 64 * group;
                    for (i, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                        // SAFETY: 64 bytes for each of the groups, 8 for each of its sums.
                        let x = unsafe { i16x8_load_extend_i8x8(x.add(start + 8 * i)) };
                        *sum = i32x4_add(*sum, i32x4_dot_i16x8(x, weights));
                    }
                }
            }
            *out = sums.map(|[low, high]| add_neighbors(low, high));
        }
    }

    unsafe fn dense<const UNSIGNED: bool>(self, rest: &DenseRest<'_>, out: &mut [Sums; 8]) -> usize {
        // SAFETY: the caller's promise, for no more rows than are left.
        unsafe {
            if rest.left() >= 2 {
                dense_rows::<2, UNSIGNED>(rest, out)
            } else {
                dense_rows::<1, UNSIGNED>(rest, out)
            }
        }
    }
}

/// 8 lanes at a time: `4 · ROWS` sums, two for each lane; 4 vectors of inputs, 1 of weights.
///
/// # Safety
/// `rest` is as its fields say and has `ROWS` rows left.
unsafe fn dense_rows<const ROWS: usize, const UNSIGNED: bool>(
    rest: &DenseRest<'_>,
    out: &mut [Sums; 8],
) -> usize {
    let rows: [_; ROWS] = rest.values();
    for half in 0..2 {
        let mut sums = [[[i32x4_splat(0); 2]; 2]; ROWS];
        for quad in 0..rest.quads {
            let x: [v128; 4] = core::array::from_fn(|i| {
                // SAFETY: 64 bytes at each quad; these are 8 of the half's 32.
                unsafe {
                    let from = rest.x.add(quad * rest.x_stride + 32 * half + 8 * i);
                    if UNSIGNED { i16x8_load_extend_u8x8(from.cast()) } else { i16x8_load_extend_i8x8(from) }
                }
            });
            for (sums, row) in sums.iter_mut().zip(rows) {
                // SAFETY: the quad is inside the row.
                let weights = broadcast(unsafe { row.add(4 * quad).cast::<i32>().read_unaligned() });
                for (sum, x) in sums.as_flattened_mut().iter_mut().zip(x) {
                    *sum = i32x4_add(*sum, i32x4_dot_i16x8(x, weights));
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let sums = sums.map(|[low, high]| add_neighbors(low, high));
            out.iter_mut().skip(2 * half).zip(sums).for_each(|(out, sum)| *out = sum);
        }
    }
    ROWS
}

/// Adds the products of pairs of 16-bit inputs with a pair of weights to two sums.
#[inline(always)]
fn add_products(sums: &mut [v128; 2], x: [v128; 2], weights: v128) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = i32x4_add(*sum, i32x4_dot_i16x8(x, weights));
    }
}

/// The low 8 bytes of both in turn.
#[inline(always)]
fn interleave(a: v128, b: v128) -> v128 {
    i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b)
}

/// Four weights in 16 bits each, twice.
#[inline(always)]
fn broadcast(weights: i32) -> v128 {
    i16x8_extend_low_i8x16(i32x4_splat(weights))
}

/// Sums of neighbors: of `low` in the first two lanes, of `high` in the last two.
#[inline(always)]
fn add_neighbors(low: v128, high: v128) -> v128 {
    i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(low, high), i32x4_shuffle::<1, 3, 5, 7>(low, high))
}
