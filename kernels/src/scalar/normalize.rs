//! LayerNorm, embeddings and the output layer.

use half::f16;

use super::{check_lanes, ensure};
use crate::layout::TILE;
use crate::math;
use crate::{Embeddings, ShapeError, Table};

/// See [`crate::Kernels::layer_norm`].
///
/// Two passes (mean, then the variance around it; Ba, Kiros and Hinton 2016), each a plain sum in the order of
/// the features: `((x − mean) · 1/√(variance + ε)) · γ + β`.
pub fn layer_norm(
    x: &mut [f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
    absmax: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_layer_norm(x, gamma, beta, absmax)?;
    let count = 1.0 / gamma.len() as f32;
    let (mut mean, mut inverse) = ([0f32; TILE], [0f32; TILE]);
    for row in x.chunks_exact(lanes) {
        mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum *= count);
    for row in x.chunks_exact(lanes) {
        for ((sum, &x), &mean) in inverse.iter_mut().zip(row).zip(&mean) {
            *sum += (x - mean) * (x - mean);
        }
    }
    inverse.iter_mut().for_each(|sum| *sum = 1.0 / math::sqrt(*sum * count + epsilon));
    absmax.fill(0.0);
    for ((row, &gamma), &beta) in x.chunks_exact_mut(lanes).zip(gamma).zip(beta) {
        for (((x, &mean), &inverse), most) in row.iter_mut().zip(&mean).zip(&inverse).zip(absmax.iter_mut()) {
            *x = ((*x - mean) * inverse) * gamma + beta;
            *most = math::max(math::abs(*x), *most);
        }
    }
    Ok(())
}

/// The shape of a LayerNorm; returns the number of lanes.
pub(crate) fn check_layer_norm(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    absmax: &[f32],
) -> Result<usize, ShapeError> {
    let lanes = check_lanes(absmax.len())?;
    ensure(Some(x.len()) == gamma.len().checked_mul(lanes) && beta.len() == gamma.len())?;
    Ok(lanes)
}

/// See [`crate::Kernels::embed`].
pub fn embed(
    tables: &Embeddings<'_>,
    ids: &[[u32; 2]],
    first_position: usize,
    lanes: usize,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let lanes = check_lanes(lanes)?;
    ensure(ids.len() <= lanes && out.len().is_multiple_of(lanes))?;
    let features = out.len() / lanes;
    out.fill(0.0);
    for (lane, &[word, token_type]) in ids.iter().enumerate() {
        let word = Row::of(&tables.word, word as usize, features)?;
        let token_type = Row::of(&tables.token_type, token_type as usize, features)?;
        let position = Row::of(&tables.position, first_position + lane, features)?;
        for (feature, out) in out.iter_mut().skip(lane).step_by(lanes).enumerate() {
            *out = (word.get(feature) + token_type.get(feature)) + position.get(feature);
        }
    }
    Ok(())
}

/// One row of an embedding table.
pub(crate) enum Row<'a> {
    /// The integers and their scale.
    I8(&'a [i8], f32),
    /// Half precision, as bits.
    F16(&'a [u16]),
}

impl<'a> Row<'a> {
    /// The row's features.
    ///
    /// # Errors
    /// The table has no such row.
    pub(crate) fn of(table: &Table<'a>, row: usize, features: usize) -> Result<Self, ShapeError> {
        let start = row.checked_mul(features).ok_or(ShapeError)?;
        let range = start..start.checked_add(features).ok_or(ShapeError)?;
        match *table {
            Table::I8 { values, scales } => {
                values.get(range).zip(scales.get(row)).map(|(values, &scale)| Row::I8(values, scale))
            }
            Table::F16(values) => values.get(range).map(Row::F16),
        }
        .ok_or(ShapeError)
    }

    /// One feature; 0 past the end.
    #[inline]
    pub(crate) fn get(&self, feature: usize) -> f32 {
        match self {
            Row::I8(values, scale) => values.get(feature).map_or(0.0, |&q| f32::from(q) * scale),
            Row::F16(values) => values.get(feature).map_or(0.0, |&bits| f16::from_bits(bits).to_f32()),
        }
    }

    /// Features.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "wasm32"))]
    pub(crate) fn len(&self) -> usize {
        match self {
            Row::I8(values, _) => values.len(),
            Row::F16(values) => values.len(),
        }
    }
}

/// See [`crate::Kernels::linear_f32`].
pub fn linear_f32(weights: &[f32], bias: &[f32], x: &[f32], out: &mut [f32]) -> Result<(), ShapeError> {
    let (lanes, features) = check_linear(weights, bias, x, out)?;
    for ((weights, &bias), out) in weights.chunks_exact(features).zip(bias).zip(out.chunks_exact_mut(lanes)) {
        out.fill(bias);
        for (&weight, row) in weights.iter().zip(x.chunks_exact(lanes)) {
            out.iter_mut().zip(row).for_each(|(out, &x)| *out += x * weight);
        }
    }
    Ok(())
}

/// The shape of an f32 linear layer; returns lanes and features.
pub(crate) fn check_linear(
    weights: &[f32],
    bias: &[f32],
    x: &[f32],
    out: &[f32],
) -> Result<(usize, usize), ShapeError> {
    ensure(!bias.is_empty() && !weights.is_empty())?;
    let (lanes, features) = (check_lanes(out.len() / bias.len())?, weights.len() / bias.len());
    ensure(out.len() == lanes * bias.len() && weights.len() == features * bias.len())?;
    ensure(features > 0 && x.len() == features * lanes)?;
    Ok((lanes, features))
}
