//! Embeddings.

use half::f16;

use super::Scalar;
use crate::Table;
use crate::operands::EmbedOperands;

/// See [`crate::Kernels::embed`].
pub(super) fn embed(_: Scalar, operands: EmbedOperands<'_>) {
    let EmbedOperands { tables, ids, first_position, lanes, out, features, .. } = operands;
    out.fill(0.0);
    for ((lane, &[word, token_type]), position) in ids.iter().enumerate().zip(first_position..) {
        let word = TableRow::of(&tables.word, word as usize, features);
        let token_type = TableRow::of(&tables.token_type, token_type as usize, features);
        let position = TableRow::of(&tables.position, position, features);
        for (feature, out) in out.iter_mut().skip(lane).step_by(lanes.get()).enumerate() {
            *out = (word.get(feature) + token_type.get(feature)) + position.get(feature);
        }
    }
}

/// One row of an embedding table.
pub(crate) enum TableRow<'a> {
    /// The integers and their scale.
    I8(&'a [i8], f32),
    /// Half precision, as bits.
    F16(&'a [u16]),
}

impl<'a> TableRow<'a> {
    /// The row's features; none if the table has no such row.
    pub(crate) fn of(table: &Table<'a>, row: usize, features: usize) -> Self {
        let start = row.saturating_mul(features);
        let range = start..start.saturating_add(features);
        match *table {
            Table::I8 { values, scales } => {
                let scale = scales.get(row).copied().unwrap_or(0.0);
                TableRow::I8(values.get(range).unwrap_or(&[]), scale)
            }
            Table::F16(values) => TableRow::F16(values.get(range).unwrap_or(&[])),
        }
    }

    /// One feature; 0 past the end.
    #[inline]
    pub(crate) fn get(&self, feature: usize) -> f32 {
        match self {
            TableRow::I8(values, scale) => values.get(feature).map_or(0.0, |&q| f32::from(q) * scale),
            TableRow::F16(values) => values.get(feature).map_or(0.0, |&bits| f16::from_bits(bits).to_f32()),
        }
    }
}

with_vectors! {
    impl TableRow<'_> {
        /// Features.
        pub(crate) fn len(&self) -> usize {
            match self {
                TableRow::I8(values, _) => values.len(),
                TableRow::F16(values) => values.len(),
            }
        }
    }
}
