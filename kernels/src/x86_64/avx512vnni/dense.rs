//! The dense products of attention: 6 rows × 64 lanes in 24 accumulators.
//!
//! For each quad of columns: 4 vectors of activations, and for each row one broadcast of 4 weights and 4 `vpdpbusd`.

use core::arch::x86_64::*;
use core::array::from_fn;

use super::Avx512Vnni;
use crate::DenseRows;
use crate::operands::{ContextOperands, Lanes, ScoresOperands};
use crate::vector::{ContextSink, DenseSink, ScoresSink};

/// See [`crate::Kernels::scores`].
pub(super) fn scores(v: Avx512Vnni, mut operands: ScoresOperands<'_>) {
    let sink = ScoresSink::new(&mut operands);
    let ScoresOperands { rows, x, lanes, .. } = operands;
    // SAFETY: the token proves the instructions. The operands were checked: `rows` is as its fields say, `x` has
    // `cols / 4` rows of `lanes` quads, and the sink a row for each row.
    unsafe { product::<true>(v, rows, x.as_ptr().cast(), lanes, sink) }
}

/// See [`crate::Kernels::context`].
pub(super) fn context(v: Avx512Vnni, mut operands: ContextOperands<'_>) {
    let sink = ContextSink::new(&mut operands);
    let ContextOperands { rows, x, lanes, .. } = operands;
    // SAFETY: as in `scores`.
    unsafe { product::<false>(v, rows, x.as_ptr(), lanes, sink) }
}

/// Both products; `SIGNED`: `x` is int8, otherwise u8.
///
/// # Safety
/// `x` must be valid for `cols / 4` rows of `lanes` quads; the slices of `rows` must be as long as its
/// documentation says, and `sink` good for its rows and the lanes. The features must be there.
unsafe fn product<const SIGNED: bool>(
    v: Avx512Vnni,
    rows: &DenseRows<'_>,
    x: *const u8,
    lanes: Lanes,
    sink: impl DenseSink<Avx512Vnni>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match lanes {
            Lanes::L64 => all_rows::<4, 6, SIGNED>(v, rows, x, sink),
            Lanes::L48 => all_rows::<3, 8, SIGNED>(v, rows, x, sink),
            Lanes::L32 => all_rows::<2, 8, SIGNED>(v, rows, x, sink),
            Lanes::L16 => all_rows::<1, 8, SIGNED>(v, rows, x, sink),
        }
    }
}

/// The product for tiles of `16 · K` lanes, `R` rows at a time.
///
/// # Safety
/// As for [`product`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn all_rows<const K: usize, const R: usize, const SIGNED: bool>(
    v: Avx512Vnni,
    rows: &DenseRows<'_>,
    x: *const u8,
    sink: impl DenseSink<Avx512Vnni>,
) {
    let count = rows.sums.len();
    // SAFETY: each call gets rows below `count`.
    unsafe {
        if count < R {
            for row in 0..count {
                group::<K, 1, SIGNED>(v, rows, row, x, sink);
            }
            return;
        }
        for row in (0..=count - R).step_by(R) {
            group::<K, R, SIGNED>(v, rows, row, x, sink);
        }
        if !count.is_multiple_of(R) {
            // Some rows for a second time, to the same effect: cheaper than fewer at a time.
            group::<K, R, SIGNED>(v, rows, count - R, x, sink);
        }
    }
}

/// Rows `first .. first + R`.
///
/// # Safety
/// As for [`product`]; these rows exist.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn group<const K: usize, const R: usize, const SIGNED: bool>(
    v: Avx512Vnni,
    rows: &DenseRows<'_>,
    first: usize,
    x: *const u8,
    sink: impl DenseSink<Avx512Vnni>,
) {
    let lanes = 16 * K;
    // SAFETY: the rows exist, and each slice has what the documentation of `DenseRows` says.
    unsafe {
        let weights: [_; R] = from_fn(|r| rows.values.as_ptr().add((first + r) * rows.stride));
        let mut acc: [_; R] = from_fn(|r| {
            let sum = if SIGNED { *rows.sums.as_ptr().add(first + r) } else { 0 };
            [_mm512_set1_epi32(sum.wrapping_mul(-128)); K]
        });
        for quad in 0..rows.cols / 4 {
            let x: [_; K] = from_fn(|k| {
                let x = _mm512_loadu_si512(x.add(4 * (quad * lanes + 16 * k)).cast());
                if SIGNED { _mm512_xor_si512(x, _mm512_set1_epi8(-128)) } else { x }
            });
            for (acc, weights) in acc.iter_mut().zip(weights) {
                let weights = _mm512_set1_epi32(weights.add(4 * quad).cast::<i32>().read_unaligned());
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = _mm512_dpbusd_epi32(*acc, x, weights);
                }
            }
        }
        sink.put(v, &acc, first, 0);
    }
}
