//! f32 to int8 per row, and to half precision.

use anyhow::{Result, bail};
use half::f16;

use super::grid::Grid;

/// The largest number of half precision.
const F16_MAX: f32 = 65_504.0;

/// Symmetric int8 in [−127, 127], one scale per row: `w ≈ scale · q`, `scale = max |w| / 127`.
pub(crate) fn quantize_weights(values: &[f32], cols: usize) -> (Vec<i8>, Vec<f32>) {
    let mut quantized = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / cols.max(1));
    for row in values.chunks_exact(cols) {
        let absmax = row.iter().fold(0f32, |most, w| most.max(w.abs()));
        let (inverse, scale) = Grid::Weights.scale(absmax);
        quantized.extend(row.iter().map(|w| (w * inverse).round_ties_even().clamp(-127.0, 127.0) as i8));
        scales.push(scale);
    }
    (quantized, scales)
}

/// IEEE half precision, little-endian.
pub(crate) fn halves(values: &[f32]) -> Result<Vec<u8>> {
    if let Some(large) = values.iter().find(|x| x.abs() >= F16_MAX) {
        bail!("it holds {large}, for which f16 has no room (below {F16_MAX}); take an earlier checkpoint");
    }
    Ok(values.iter().flat_map(|&x| f16::from_f32(x).to_bits().to_le_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_own_scales() {
        let (quantized, scales) = quantize_weights(&[1.0, -0.5, 0.0, 0.0, 254.0, 3.0], 2);
        assert_eq!(quantized, [127, -64, 0, 0, 127, 2]);
        assert_eq!(scales, [1.0 / 127.0, 0.0, 2.0]);
    }

    #[test]
    fn the_error_is_at_most_half_a_step() {
        let values: Vec<f32> = (0..1000).map(|i| ((i * 37) % 211) as f32 / 97.0 - 1.0).collect();
        let (quantized, scales) = quantize_weights(&values, 100);
        for ((row, q), scale) in values.chunks(100).zip(quantized.chunks(100)).zip(scales) {
            assert!(row.iter().zip(q).all(|(w, &q)| (w - f32::from(q) * scale).abs() <= 0.5001 * scale));
        }
    }

    #[test]
    fn what_half_precision_cannot_hold_is_refused() {
        assert!(halves(&[1e6]).is_err());
        assert_eq!(halves(&[1.0, -2.0]).unwrap(), [0x00, 0x3c, 0x00, 0xc0]);
    }
}
