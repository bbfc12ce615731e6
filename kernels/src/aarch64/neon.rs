//! Products without a dot product (Cortex-A53, A72): widening multiplies and pairwise accumulation.
//!
//! `smull` and `smlal` add two products of int8 in 16 bits: at most 2 · 128 · 127 = 32,512 in size, so nothing is
//! lost; `sadalp` adds neighbors to sums of 32 bits. That is 16 multiply-accumulates in three instructions, two of
//! them on the multiplier; the 16-bit `smlal` by element does 4 in one.

use core::arch::aarch64::*;
use core::arch::asm;

use super::Sums;
use super::token::Neon;
use crate::products128::{DenseRest, Products, RowBlocks, StripTiles, advance};

impl Products for Neon {
    /// 16 sums; 4 registers of inputs, 2 of weights.
    #[target_feature(enable = "neon")]
    unsafe fn output_strip<const LANES: usize>(
        self,
        strip: &StripTiles<'_>,
        mut x: *const i8,
        out: &mut [Sums; 4],
    ) {
        let mut sums = [[vdupq_n_s32(0); 4]; 4];
        for (deltas, weights) in strip.deltas.iter().zip(strip.weights) {
            // SAFETY: 16 bytes at each column, by the caller's promise.
            let [a, b, c, d] = advance::<LANES>(&mut x, deltas).map(|x| unsafe { vld1q_s8(x) });
            // A lane's first two inputs beside each other, and its last two.
            let (first_low, first_high) = (vzip1q_s8(a, b), vzip2q_s8(a, b));
            let (last_low, last_high) = (vzip1q_s8(c, d), vzip2q_s8(c, d));
            // SAFETY: an array of 16 bytes.
            let weights = vreinterpretq_s16_s8(unsafe { vld1q_s8(weights.as_ptr()) });
            let accumulate = |[s0, s1, s2, s3]: &mut Sums, first, last| {
                let (first, last) = (vreinterpretq_s8_s16(first), vreinterpretq_s8_s16(last));
                [*s0, *s1] = add_products([*s0, *s1], (first_low, first), (last_low, last));
                [*s2, *s3] = add_products([*s2, *s3], (first_high, first), (last_high, last));
            };
            let [output0, output1, output2, output3] = &mut sums;
            accumulate(output0, vdupq_laneq_s16::<0>(weights), vdupq_laneq_s16::<1>(weights));
            accumulate(output1, vdupq_laneq_s16::<2>(weights), vdupq_laneq_s16::<3>(weights));
            accumulate(output2, vdupq_laneq_s16::<4>(weights), vdupq_laneq_s16::<5>(weights));
            accumulate(output3, vdupq_laneq_s16::<6>(weights), vdupq_laneq_s16::<7>(weights));
        }
        *out = sums;
    }

    /// `8 · GROUPS` sums, two for each lane; blocks go in pairs: 2 registers of weights.
    #[target_feature(enable = "neon")]
    unsafe fn input_row<const LANES: usize, const GROUPS: usize>(
        self,
        row: &RowBlocks<'_>,
        x: *const i8,
        out: &mut [Sums; GROUPS],
    ) {
        let mut sums = [[[vdupq_n_s32(0); 2]; 4]; GROUPS];
        for (x, indices, weights) in row.panels::<LANES>(x) {
            let block = |index: u8| x.wrapping_add(usize::from(index) * 4 * LANES);
            let ((indices, last_index), (weights, last)) = (indices.as_chunks(), weights.as_chunks());
            for (&[a, b], &[weights_a, weights_b]) in indices.iter().zip(weights) {
                let weights = [broadcast(weights_a), broadcast(weights_b)];
                // SAFETY: 64 · GROUPS bytes at each block, by the caller's promise.
                sums = unsafe { add_pair(sums, [block(a), block(b)], weights) };
            }
            for (&index, &weights) in last_index.iter().zip(last) {
                // SAFETY: as above.
                sums = unsafe { add_pair(sums, [block(index); 2], [broadcast(weights), vdupq_n_s8(0)]) };
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            *out = sums.map(|[low, high]| vpaddq_s32(low, high));
        }
    }

    #[target_feature(enable = "neon")]
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

/// Adds two blocks of one output.
///
/// # Safety
/// 64 · GROUPS bytes at both `x` are readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_pair<const GROUPS: usize>(
    mut sums: [[[int32x4_t; 2]; 4]; GROUPS],
    x: [*const i8; 2],
    [weights_a, weights_b]: [int8x16_t; 2],
) -> [[[int32x4_t; 2]; 4]; GROUPS] {
    let mut start = 0;
    for sums in &mut sums {
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: 64 bytes for each of the groups, 16 for each of its pairs of sums.
            let [a, b] = x.map(|x| unsafe { vld1q_s8(x.add(start + 16 * i)) });
            *sums = add_products(*sums, (a, weights_a), (b, weights_b));
        }
        start = after(sums, start) + 64;
    }
    sums
}

/// `8 · ROWS` sums, two for each lane; quads go in pairs: `2 · ROWS` registers of weights.
///
/// Unsigned `x` is taken as x − 128, and 128 · Σ row added at the end.
///
/// # Safety
/// `rest` is as its fields say and has `ROWS` rows left.
#[target_feature(enable = "neon")]
unsafe fn dense_rows<const ROWS: usize, const UNSIGNED: bool>(
    rest: &DenseRest<'_>,
    out: &mut [Sums; 8],
) -> usize {
    let rows: [_; ROWS] = rest.values();
    let mut sums = [[[vdupq_n_s32(0); 2]; 4]; ROWS];
    for quad in (1..rest.quads).step_by(2) {
        // SAFETY: both quads are inside the rows.
        let weights = rows.map(|row| unsafe { [weights(row, quad - 1), weights(row, quad)] });
        // SAFETY: as above.
        sums = unsafe { add_quads::<ROWS, UNSIGNED>(sums, rest, [quad - 1, quad], weights) };
    }
    if rest.quads % 2 == 1 {
        let quad = rest.quads - 1;
        // SAFETY: as above.
        let weights = rows.map(|row| unsafe { [weights(row, quad), vdupq_n_s8(0)] });
        // SAFETY: as above.
        sums = unsafe { add_quads::<ROWS, UNSIGNED>(sums, rest, [quad; 2], weights) };
    }
    for (row, (out, sums)) in out.iter_mut().zip(sums).enumerate() {
        let start = vdupq_n_s32(if UNSIGNED { rest.sum(row).wrapping_mul(128) } else { 0 });
        *out = sums.map(|[low, high]| vaddq_s32(start, vpaddq_s32(low, high)));
    }
    ROWS
}

/// Adds two quads of each row.
///
/// # Safety
/// The quads are below those of the rest.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_quads<const ROWS: usize, const UNSIGNED: bool>(
    mut sums: [[[int32x4_t; 2]; 4]; ROWS],
    rest: &DenseRest<'_>,
    [a, b]: [usize; 2],
    weights: [[int8x16_t; 2]; ROWS],
) -> [[[int32x4_t; 2]; 4]; ROWS] {
    let flip = vdupq_n_s8(if UNSIGNED { i8::MIN } else { 0 });
    let mut start = 0;
    let x = [a, b].map(|quad: usize| rest.x.wrapping_add(quad * rest.x_stride));
    for i in 0..4 {
        // SAFETY: 64 bytes at each quad.
        let [a, b] = x.map(|x| veorq_s8(unsafe { vld1q_s8(x.add(start + 16 * i)) }, flip));
        for (sums, [weights_a, weights_b]) in sums.iter_mut().zip(weights) {
            sums[i] = add_products(sums[i], (a, weights_a), (b, weights_b));
        }
        if i == 1 {
            for &[first, second, ..] in &sums {
                start = after(&[first, second], start);
            }
        }
    }
    sums
}

/// A quad of a row, over and over.
///
/// # Safety
/// The quad is inside the row.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn weights(row: *const i8, quad: usize) -> int8x16_t {
    // SAFETY: the caller's promise.
    broadcast(unsafe { row.add(4 * quad).cast::<[i8; 4]>().read() })
}

/// The offset, as if it depended on the sums. Otherwise the compiler would load all that it can, start all products
/// before it adds any to its sum, and run out of registers.
#[inline]
#[target_feature(enable = "neon")]
fn after(sums: &[[int32x4_t; 2]], mut offset: usize) -> usize {
    for &[low, high] in sums {
        // SAFETY: no instruction.
        unsafe {
            asm!(
                "/* {0} {1:v} {2:v} */",
                inout(reg) offset,
                in(vreg) low,
                in(vreg) high,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
    }
    offset
}

/// Adds the products of two registers with weights to sums: the low halves' to the first, the high halves' to the
/// second, neighbors together.
#[inline]
#[target_feature(enable = "neon")]
fn add_products(
    [low, high]: [int32x4_t; 2],
    (a, weights_a): (int8x16_t, int8x16_t),
    (b, weights_b): (int8x16_t, int8x16_t),
) -> [int32x4_t; 2] {
    let low_a = vmull_s8(vget_low_s8(a), vget_low_s8(weights_a));
    let high_a = vmull_high_s8(a, weights_a);
    [
        vpadalq_s16(low, vmlal_s8(low_a, vget_low_s8(b), vget_low_s8(weights_b))),
        vpadalq_s16(high, vmlal_high_s8(high_a, b, weights_b)),
    ]
}

/// Four weights, over and over.
#[inline]
#[target_feature(enable = "neon")]
fn broadcast(weights: [i8; 4]) -> int8x16_t {
    let mut all = vreinterpretq_s8_s32(vdupq_n_s32(bytemuck::cast(weights)));
    // The compiler must not see that both halves are the same: it would use the low one twice, and `ext` and
    // `smull` in place of each `smull2`.
    // SAFETY: no instruction.
    unsafe { asm!("/* {0:v} */", inout(vreg) all, options(pure, nomem, nostack, preserves_flags)) };
    all
}
