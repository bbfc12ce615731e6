//! The definition of packing and product.

use super::{Matrix, PANEL_COLUMNS, PackedMatrix};

/// Packs the columns of a panel, which are the rows of `columns`.
pub(super) fn pack_panel(columns: Matrix<'_>, out: &mut [u32]) {
    for (pair, out) in out.chunks_exact_mut(PANEL_COLUMNS).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = rounded_pair(columns, column, pair);
        }
    }
}

/// See [`super::Bf16Products::product`]. The operands fit each other, and the result has an element.
pub(super) fn product(a: Matrix<'_>, b: PackedMatrix<'_>, out: &mut [f32]) {
    let pairs = b.shape.pairs();
    for (row, out) in out.chunks_exact_mut(b.shape.columns).enumerate() {
        for (panel, out) in out.chunks_mut(PANEL_COLUMNS).enumerate() {
            let panel = b.panel(panel, 0..pairs);
            for (column, out) in out.iter_mut().enumerate() {
                *out = (0..pairs).fold(0.0, |sum, pair| {
                    add_pair(sum, rounded_pair(a, row, pair), panel[pair * PANEL_COLUMNS + column])
                });
            }
        }
    }
}

/// Two elements of a row, rounded to bf16.
fn rounded_pair(matrix: Matrix<'_>, row: usize, pair: usize) -> u32 {
    let [low, high] = [0, 1].map(|i| round(matrix.get(row, 2 * pair + i)));
    u32::from(low) | u32::from(high) << 16
}

/// The nearest bf16, ties to even; 0 for a subnormal number.
pub(super) fn round(x: f32) -> u16 {
    if x.is_nan() {
        return (x.to_bits() >> 16) as u16 | 0x40;
    }
    let bits = flush(x).to_bits();
    // Below the largest number's bits, so it does not overflow: infinity's low half is 0.
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// `sum` and the products of two pairs.
pub(super) fn add_pair(sum: f32, a: u32, b: u32) -> f32 {
    let halves = |pair: u32| [pair << 16, pair & 0xffff_0000].map(|bits| flush(f32::from_bits(bits)));
    let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
    let sum = flush(a_high.mul_add(b_high, flush(sum)));
    flush(a_low.mul_add(b_low, sum))
}

/// 0 for a subnormal number, with its sign.
fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}
