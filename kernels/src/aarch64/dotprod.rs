//! Products with `sdot` (Cortex-A55, A76 and newer): 16 multiply-accumulates in one instruction.
//!
//! The intrinsics are not stable yet, hence the assembly. The weights' register holds four groups of four, each of
//! which `sdot` can take for all lanes.

use core::arch::aarch64::*;
use core::arch::asm;

use super::Sums;
use super::token::Dotprod;
use crate::products128::{DenseRest, Products, RowBlocks, StripTiles, advance};

impl Products for Dotprod {
    /// 16 sums; 4 registers of inputs, and the tile's weights in one.
    #[target_feature(enable = "neon,dotprod")]
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &StripTiles<'_>,
        mut x: *const i8,
        out: &mut [Sums; 4],
    ) {
        let mut sums = [[vdupq_n_s32(0); 4]; 4];
        for (deltas, weights) in strip.deltas.iter().zip(strip.weights) {
            // SAFETY: 16 bytes at each column, by the caller's promise.
            let inputs = advance::<LANES>(&mut x, deltas).map(|x| unsafe { vld1q_s8(x) });
            let inputs = interleave(inputs);
            // SAFETY: an array of 16 bytes.
            let weights = unsafe { vld1q_s8(weights.as_ptr()) };
            let [output0, output1, output2, output3] = &mut sums;
            *output0 = sdot_all::<0>(*output0, inputs, weights);
            *output1 = sdot_all::<1>(*output1, inputs, weights);
            *output2 = sdot_all::<2>(*output2, inputs, weights);
            *output3 = sdot_all::<3>(*output3, inputs, weights);
        }
        *out = sums;
    }

    #[target_feature(enable = "neon,dotprod")]
    unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
        self,
        row: &RowBlocks<'_>,
        x: *const i8,
        out: &mut [Sums; GROUPS],
    ) {
        // SAFETY: the caller's promise.
        unsafe { input_row::<LANES, GROUPS>(row, x, out) }
    }

    #[target_feature(enable = "neon,dotprod")]
    unsafe fn dense<const UNSIGNED: bool>(self, rest: &DenseRest<'_>, out: &mut [Sums; 8]) -> usize {
        // SAFETY: the caller's promise.
        unsafe { dense::<UNSIGNED>(rest, out) }
    }
}

/// `4 · GROUPS` sums; blocks go in fours, whose weights are one register.
///
/// # Safety
/// See [`Products::input_row`].
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
    row: &RowBlocks<'_>,
    x: *const i8,
    out: &mut [Sums; GROUPS],
) {
    let mut sums = [[vdupq_n_s32(0); 4]; GROUPS];
    for (x, indices, weights) in row.panels::<LANES>(x) {
        let ((indices, last_indices), (weights, last)) = (indices.as_chunks(), weights.as_chunks());
        for (&[a, b, c, d], weights) in indices.iter().zip(weights) {
            let weights: &[[i8; 4]; 4] = weights;
            // SAFETY: an array of 16 bytes; 64 · GROUPS bytes at each block, by the caller's promise.
            unsafe {
                let weights = vld1q_s8(weights.as_flattened().as_ptr());
                sums = add_block::<0, GROUPS>(sums, block::<LANES>(x, a), weights);
                sums = add_block::<1, GROUPS>(sums, block::<LANES>(x, b), weights);
                sums = add_block::<2, GROUPS>(sums, block::<LANES>(x, c), weights);
                sums = add_block::<3, GROUPS>(sums, block::<LANES>(x, d), weights);
            }
        }
        for (&index, &weights) in last_indices.iter().zip(last) {
            let weights = vreinterpretq_s8_s32(vdupq_n_s32(bytemuck::cast(weights)));
            // SAFETY: as above.
            sums = unsafe { add_block::<0, GROUPS>(sums, block::<LANES>(x, index), weights) };
        }
    }
    *out = sums;
}

/// Where a block's inputs start.
#[inline]
fn block<const LANES: usize>(x: *const i8, index: u8) -> *const i8 {
    x.wrapping_add(usize::from(index) * 4 * LANES)
}

/// # Safety
/// 64 · GROUPS bytes at `x` are readable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn add_block<const LANE: usize, const GROUPS: usize>(
    mut sums: [Sums; GROUPS],
    x: *const i8,
    weights: int8x16_t,
) -> [Sums; GROUPS] {
    for (i, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
        // SAFETY: 16 bytes for each of the 4 · GROUPS sums.
        *sum = sdot::<LANE>(*sum, unsafe { vld1q_s8(x.add(16 * i)) }, weights);
    }
    sums
}

/// 4 rows or 1.
///
/// # Safety
/// See [`Products::dense`].
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn dense<const UNSIGNED: bool>(rest: &DenseRest<'_>, out: &mut [Sums; 8]) -> usize {
    // SAFETY: the caller's promise, for no more rows than are left.
    unsafe {
        if rest.left() >= 4 {
            dense_rows::<4, UNSIGNED>(rest, out)
        } else {
            dense_rows::<1, UNSIGNED>(rest, out)
        }
    }
}

/// `4 · ROWS` sums; quads go in fours: 4 registers of inputs and `ROWS` of weights.
///
/// Unsigned `x` is taken as x − 128, for which the sums start at 128 · Σ row.
///
/// # Safety
/// `rest` is as its fields say and has `ROWS` rows left.
#[target_feature(enable = "neon,dotprod")]
unsafe fn dense_rows<const ROWS: usize, const UNSIGNED: bool>(
    rest: &DenseRest<'_>,
    out: &mut [Sums; 8],
) -> usize {
    let flip = vdupq_n_s8(if UNSIGNED { i8::MIN } else { 0 });
    let rows: [_; ROWS] = rest.values();
    let mut sums: [Sums; ROWS] =
        core::array::from_fn(|i| [vdupq_n_s32(if UNSIGNED { rest.sum(i).wrapping_mul(128) } else { 0 }); 4]);
    // SAFETY: the caller passes quads that exist, of 64 bytes each.
    let load = |quad: usize| unsafe {
        let x = rest.x.add(quad * rest.x_stride);
        [0, 16, 32, 48].map(|lane| veorq_s8(vld1q_s8(x.add(lane)), flip))
    };
    let fours = rest.quads / 4 * 4;
    for quad in (0..fours).step_by(4) {
        // SAFETY: four quads from here are inside the rows.
        let weights = rows.map(|row| unsafe { vld1q_s8(row.add(4 * quad)) });
        sums = add_quad::<0, ROWS>(sums, load(quad), weights);
        sums = add_quad::<1, ROWS>(sums, load(quad + 1), weights);
        sums = add_quad::<2, ROWS>(sums, load(quad + 2), weights);
        sums = add_quad::<3, ROWS>(sums, load(quad + 3), weights);
    }
    for quad in fours..rest.quads {
        let weights = rows.map(|row| {
            // SAFETY: the quad is inside the rows.
            let weights = unsafe { row.add(4 * quad).cast::<i32>().read_unaligned() };
            vreinterpretq_s8_s32(vdupq_n_s32(weights))
        });
        sums = add_quad::<0, ROWS>(sums, load(quad), weights);
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        *out = sums;
    }
    ROWS
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_quad<const LANE: usize, const ROWS: usize>(
    mut sums: [Sums; ROWS],
    x: [int8x16_t; 4],
    weights: [int8x16_t; ROWS],
) -> [Sums; ROWS] {
    for (sums, weights) in sums.iter_mut().zip(weights) {
        *sums = sdot_all::<LANE>(*sums, x, weights);
    }
    sums
}

/// Rows of 16 lanes to quads: result `i` holds the four inputs of lanes `4i .. 4i + 4`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn interleave([a, b, c, d]: [int8x16_t; 4]) -> [int8x16_t; 4] {
    let (ab_low, ab_high) = (vreinterpretq_s16_s8(vzip1q_s8(a, b)), vreinterpretq_s16_s8(vzip2q_s8(a, b)));
    let (cd_low, cd_high) = (vreinterpretq_s16_s8(vzip1q_s8(c, d)), vreinterpretq_s16_s8(vzip2q_s8(c, d)));
    [
        vreinterpretq_s8_s16(vzip1q_s16(ab_low, cd_low)),
        vreinterpretq_s8_s16(vzip2q_s16(ab_low, cd_low)),
        vreinterpretq_s8_s16(vzip1q_s16(ab_high, cd_high)),
        vreinterpretq_s8_s16(vzip2q_s16(ab_high, cd_high)),
    ]
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot_all<const LANE: usize>([a, b, c, d]: Sums, x: [int8x16_t; 4], weights: int8x16_t) -> Sums {
    let [xa, xb, xc, xd] = x;
    [
        sdot::<LANE>(a, xa, weights),
        sdot::<LANE>(b, xb, weights),
        sdot::<LANE>(c, xc, weights),
        sdot::<LANE>(d, xd, weights),
    ]
}

/// Adds to each 32-bit lane the products of its four bytes of `x` with the four bytes of lane `LANE` of `weights`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot<const LANE: usize>(mut sum: int32x4_t, x: int8x16_t, weights: int8x16_t) -> int32x4_t {
    // SAFETY: the function enables `sdot`, which touches these registers only.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{lane}]",
            inout(vreg) sum,
            in(vreg) x,
            in(vreg) weights,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}
