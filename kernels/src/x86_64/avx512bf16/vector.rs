//! Loads, stores and conversions of vectors.

use core::arch::x86_64::*;

/// A mask of the first `len` of 16 lanes.
#[inline(always)]
fn first(len: usize) -> __mmask16 {
    if len < 16 { (1 << len) - 1 } else { !0 }
}

/// Up to 16 values, and 0 in the lanes behind them.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn load_part(values: &[f32]) -> __m512 {
    // SAFETY: only lanes of the mask are read, which has at most as many as there are values.
    unsafe { _mm512_maskz_loadu_ps(first(values.len()), values.as_ptr()) }
}

/// The lanes that belong to up to 16 values.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn store_part(values: &mut [f32], lanes: __m512) {
    // SAFETY: only lanes of the mask are written, which has at most as many as there are values.
    unsafe { _mm512_mask_storeu_ps(values.as_mut_ptr(), first(values.len()), lanes) }
}

/// 16 pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub(super) fn load(pairs: &[u32; 16]) -> __m512bh {
    // SAFETY: both are 64 bytes, and every bit pattern is a vector.
    unsafe { core::mem::transmute(*pairs) }
}

/// A pair in all lanes.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub(super) fn broadcast(pair: u32) -> __m512bh {
    // SAFETY: both are 64 bytes, and every bit pattern is a vector.
    unsafe { core::mem::transmute(_mm512_set1_epi32(pair.cast_signed())) }
}

/// The values of `low`, then those of `high`, rounded to bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub(super) fn round(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 64 bytes, and every bit pattern is a vector.
    unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}

/// 8 pairs of a vector to one place, 8 to another.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn store_halves(low: &mut [u32; 8], high: &mut [u32; 8], pairs: __m512i) {
    // SAFETY: both are 64 bytes, and every bit pattern is an array.
    let pairs: [[u32; 8]; 2] = unsafe { core::mem::transmute(pairs) };
    [*low, *high] = pairs;
}

/// The halves of words `0 1 2 … 31` as `0 16 1 17 … 15 31`: of two rows, pairs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn interleave(rows: __m512i) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: both are 64 bytes, and every bit pattern is a vector.
    let order = unsafe { core::mem::transmute::<[u16; 32], __m512i>(ORDER) };
    _mm512_permutexvar_epi16(order, rows)
}

/// The transposed matrix of 16 rows of 16 pairs.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut twos = rows;
    for i in 0..8 {
        twos[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        twos[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // `fours[4 · i + c]`: rows 4 · i to 4 · i + 3 of the columns c, c + 4, c + 8 and c + 12.
    let mut fours = twos;
    for i in 0..4 {
        fours[4 * i] = _mm512_unpacklo_epi64(twos[4 * i], twos[4 * i + 2]);
        fours[4 * i + 1] = _mm512_unpackhi_epi64(twos[4 * i], twos[4 * i + 2]);
        fours[4 * i + 2] = _mm512_unpacklo_epi64(twos[4 * i + 1], twos[4 * i + 3]);
        fours[4 * i + 3] = _mm512_unpackhi_epi64(twos[4 * i + 1], twos[4 * i + 3]);
    }
    let mut columns = fours;
    for c in 0..4 {
        // Rows 0 to 7 and 8 to 15, of the columns c and c + 8, and of c + 4 and c + 12.
        let even_upper = _mm512_shuffle_i32x4::<0b10_00_10_00>(fours[c], fours[4 + c]);
        let odd_upper = _mm512_shuffle_i32x4::<0b11_01_11_01>(fours[c], fours[4 + c]);
        let even_lower = _mm512_shuffle_i32x4::<0b10_00_10_00>(fours[8 + c], fours[12 + c]);
        let odd_lower = _mm512_shuffle_i32x4::<0b11_01_11_01>(fours[8 + c], fours[12 + c]);
        columns[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even_upper, even_lower);
        columns[c + 4] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd_upper, odd_lower);
        columns[c + 8] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even_upper, even_lower);
        columns[c + 12] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd_upper, odd_lower);
    }
    columns
}
