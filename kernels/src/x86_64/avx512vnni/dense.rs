//! The dense product of attention: 6 rows × 64 lanes in 24 accumulators.
//!
//! For each quad of columns: 4 vectors of activations, and for each row one broadcast of 4 weights and 4 `vpdpbusd`.

use core::arch::x86_64::*;
use core::array::from_fn;

use super::Avx512Vnni;
use crate::DenseRows;
use crate::vector::Vector;

/// The product for tiles of `16 · K` lanes, `R` rows at a time.
///
/// `SIGNED`: `x` is int8, otherwise u8.
///
/// # Safety
/// `x` must be valid for `cols / 4` rows of `16 · K` quads, `x_scales` for `16 · K` elements and `out` for a row of as
/// many for each of `rows`, whose slices must be as long as its documentation says. The features must be there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn rows<const K: usize, const R: usize, const SIGNED: bool>(
    v: Avx512Vnni,
    rows: &DenseRows<'_>,
    x: *const u8,
    x_scales: *const f32,
    out: *mut f32,
) {
    let count = rows.sums.len();
    // SAFETY: each call gets rows below `count`.
    unsafe {
        if count < R {
            for row in 0..count {
                group::<K, 1, SIGNED>(v, rows, row, x, x_scales, out);
            }
            return;
        }
        for row in (0..=count - R).step_by(R) {
            group::<K, R, SIGNED>(v, rows, row, x, x_scales, out);
        }
        if !count.is_multiple_of(R) {
            // Some rows for a second time, to the same effect: cheaper than fewer at a time.
            group::<K, R, SIGNED>(v, rows, count - R, x, x_scales, out);
        }
    }
}

/// Rows `first .. first + R`.
///
/// # Safety
/// As for [`rows`]; these rows exist.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn group<const K: usize, const R: usize, const SIGNED: bool>(
    v: Avx512Vnni,
    rows: &DenseRows<'_>,
    first: usize,
    x: *const u8,
    x_scales: *const f32,
    out: *mut f32,
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
        for (r, acc) in acc.into_iter().enumerate() {
            let scale = v.splat(*rows.scales.as_ptr().add(first + r));
            for (k, acc) in acc.into_iter().enumerate() {
                let y = v.mul(v.mul(v.to_f32(acc), v.load(x_scales.add(16 * k))), scale);
                v.store(y, out.add((first + r) * lanes + 16 * k));
            }
        }
    }
}
