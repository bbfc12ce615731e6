//! Products with `smmla` (Neoverse V1, Apple M2 and newer): 32 multiply-accumulates in one instruction.
//!
//! `smmla` multiplies two lanes by two outputs, 8 inputs deep. For output blocks two tiles are fused: 24 `zip`s
//! bring the 8 inputs of a lane together and 2 the weights, for 16 `smmla`: 42 vector instructions where `sdot`
//! takes 48. For dense products 4 `zip`s of inputs and 4 of weights serve 16 `smmla`: 24 where `sdot` takes 32, and
//! `usmmla` needs no correction for unsigned inputs. An input block has one output, so that half of each `smmla`
//! would be wasted: `sdot` keeps those.

use core::arch::aarch64::*;
use core::arch::asm;

use super::Sums;
use super::dotprod;
use super::token::I8mm;
use crate::products128::{DenseRest, Products, RowBlocks, StripTiles, advance};

impl Products for I8mm {
    /// 16 sums of 2 lanes × 2 outputs; 8 registers of inputs, 2 of weights.
    #[target_feature(enable = "neon,dotprod,i8mm")]
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &StripTiles<'_>,
        mut x: *const i8,
        out: &mut [Sums; 4],
    ) {
        let mut sums = [[[vdupq_n_s32(0); 2]; 4]; 2];
        let mut gather = |deltas: &[u8; 4]| {
            // SAFETY: 16 bytes at each column, by the caller's promise.
            dotprod::interleave(advance::<LANES>(&mut x, deltas).map(|x| unsafe { vld1q_s8(x) }))
        };
        let mut accumulate = |x: [[int8x16_t; 4]; 2], weights: [int8x16_t; 2]| {
            let x = side_by_side(x);
            for (sums, weights) in sums.iter_mut().zip(zip_s32(weights)) {
                *sums = multiply_all::<4, false>(*sums, x, weights);
            }
        };
        let (deltas, last_deltas) = strip.deltas.as_chunks();
        let (weights, last_weights) = strip.weights.as_chunks();
        for ([deltas_a, deltas_b], weights) in deltas.iter().zip(weights) {
            let weights: &[[i8; 16]; 2] = weights;
            // SAFETY: arrays of 16 bytes.
            let weights = weights.each_ref().map(|weights| unsafe { vld1q_s8(weights.as_ptr()) });
            accumulate([gather(deltas_a), gather(deltas_b)], weights);
        }
        for (deltas, weights) in last_deltas.iter().zip(last_weights) {
            let x = gather(deltas);
            // SAFETY: an array of 16 bytes.
            let weights = unsafe { vld1q_s8(weights.as_ptr()) };
            accumulate([x, x], [weights, vdupq_n_s8(0)]);
        }
        for (out, sums) in out.as_chunks_mut().0.iter_mut().zip(sums) {
            *out = outputs(sums);
        }
    }

    #[target_feature(enable = "neon,dotprod,i8mm")]
    unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
        self,
        row: &RowBlocks<'_>,
        x: *const i8,
        out: &mut [Sums; GROUPS],
    ) {
        // SAFETY: the caller's promise.
        unsafe { dotprod::input_row::<LANES, GROUPS>(row, x, out) }
    }

    /// 8 rows, then 4 or 1 by `sdot`.
    #[target_feature(enable = "neon,dotprod,i8mm")]
    unsafe fn dense<const UNSIGNED: bool>(self, rest: &DenseRest<'_>, out: &mut [Sums; 8]) -> usize {
        // SAFETY: the caller's promise, for no more rows than are left.
        unsafe {
            if rest.left() < 8 {
                return dotprod::dense::<UNSIGNED>(rest, out);
            }
            let [low, high] = [dense_rows::<UNSIGNED>(rest, 0), dense_rows::<UNSIGNED>(rest, 8)];
            for (out, ([a, b], [c, d])) in out.as_chunks_mut().0.iter_mut().zip(low.into_iter().zip(high)) {
                *out = outputs([a, b, c, d]);
            }
            8
        }
    }
}

/// 8 rows and the 8 lanes from `lane` on: 16 sums of 2 lanes × 2 rows; 8 registers of inputs, 2 of weights.
///
/// # Safety
/// `rest` is as its fields say and has 8 rows left; `lane` is 0 or 8.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
unsafe fn dense_rows<const UNSIGNED: bool>(rest: &DenseRest<'_>, lane: usize) -> [[[int32x4_t; 2]; 2]; 4] {
    let rows: [_; 8] = rest.values();
    let (pairs, _) = rows.as_chunks::<2>();
    let mut sums = [[[vdupq_n_s32(0); 2]; 2]; 4];
    // SAFETY: the quads below exist, with 64 bytes each, 32 of which are the lanes'.
    let load = |quad: usize| unsafe {
        let x = rest.x.add(quad * rest.x_stride + 4 * lane);
        [vld1q_s8(x), vld1q_s8(x.add(16))]
    };
    let fours = rest.quads / 4 * 4;
    for quad in (0..fours).step_by(4) {
        let first = side_by_side([load(quad), load(quad + 1)]);
        let second = side_by_side([load(quad + 2), load(quad + 3)]);
        for (sums, &[a, b]) in sums.iter_mut().zip(pairs) {
            // SAFETY: four quads from here are inside the rows.
            let (a, b) = unsafe { (vld1q_s64(a.add(4 * quad).cast()), vld1q_s64(b.add(4 * quad).cast())) };
            *sums = multiply_all::<2, UNSIGNED>(*sums, first, vreinterpretq_s8_s64(vzip1q_s64(a, b)));
            *sums = multiply_all::<2, UNSIGNED>(*sums, second, vreinterpretq_s8_s64(vzip2q_s64(a, b)));
        }
    }
    for quad in fours..rest.quads {
        // One quad: the other four inputs are weighted by zero.
        let x = side_by_side([load(quad); 2]);
        for (sums, &[a, b]) in sums.iter_mut().zip(pairs) {
            // SAFETY: the quad is inside the rows.
            let (a, b) = unsafe { (one_quad(a.add(4 * quad)), one_quad(b.add(4 * quad))) };
            *sums = multiply_all::<2, UNSIGNED>(*sums, x, vcombine_s8(a, b));
        }
    }
    sums
}

/// Four values and four zeros.
///
/// # Safety
/// 4 bytes at `from` are readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn one_quad(from: *const i8) -> int8x8_t {
    // SAFETY: the caller's promise.
    vcreate_s8(u64::from(unsafe { from.cast::<u32>().read_unaligned() }))
}

/// Two quads of each lane to 8 inputs, two lanes in each result.
#[inline]
#[target_feature(enable = "neon")]
fn side_by_side<const N: usize>([x, y]: [[int8x16_t; N]; 2]) -> [[int8x16_t; 2]; N] {
    core::array::from_fn(|i| zip_s32([x[i], y[i]]))
}

#[inline]
#[target_feature(enable = "neon,i8mm")]
fn multiply_all<const N: usize, const UNSIGNED: bool>(
    sums: [[int32x4_t; 2]; N],
    x: [[int8x16_t; 2]; N],
    weights: int8x16_t,
) -> [[int32x4_t; 2]; N] {
    core::array::from_fn(|i| {
        let ([a, b], [x, y]) = (sums[i], x[i]);
        [multiply::<UNSIGNED>(a, x, weights), multiply::<UNSIGNED>(b, y, weights)]
    })
}

/// Groups of four bytes from either in turn.
#[inline]
#[target_feature(enable = "neon")]
fn zip_s32(pair: [int8x16_t; 2]) -> [int8x16_t; 2] {
    let [x, y] = pair.map(|x| vreinterpretq_s32_s8(x));
    [vreinterpretq_s8_s32(vzip1q_s32(x, y)), vreinterpretq_s8_s32(vzip2q_s32(x, y))]
}

/// The sums of two outputs, 16 lanes each, from those of two lanes × two outputs.
#[inline]
#[target_feature(enable = "neon")]
fn outputs([[a, b], [c, d], [e, f], [g, h]]: [[int32x4_t; 2]; 4]) -> [Sums; 2] {
    [
        [vuzp1q_s32(a, b), vuzp1q_s32(c, d), vuzp1q_s32(e, f), vuzp1q_s32(g, h)],
        [vuzp2q_s32(a, b), vuzp2q_s32(c, d), vuzp2q_s32(e, f), vuzp2q_s32(g, h)],
    ]
}

/// Adds the product of two lanes of `x`, 8 inputs each, with two rows of weights to `[2 lanes][2 rows]`.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn multiply<const UNSIGNED: bool>(mut sums: int32x4_t, x: int8x16_t, weights: int8x16_t) -> int32x4_t {
    // SAFETY: the function enables both instructions, which touch these registers only.
    unsafe {
        if UNSIGNED {
            asm!(
                "usmmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums,
                in(vreg) x,
                in(vreg) weights,
                options(pure, nomem, nostack, preserves_flags)
            );
        } else {
            asm!(
                "smmla {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sums,
                in(vreg) x,
                in(vreg) weights,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
    }
    sums
}
