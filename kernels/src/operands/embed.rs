//! Operands of the embeddings.

use super::{Checked, Lanes, ShapeError, ensure};

/// An embedding table, `[row][feature]`.
#[derive(Clone, Copy, Debug)]
pub enum Table<'a> {
    /// int8 with one scale per row.
    I8 {
        /// `[row][feature]`.
        values: &'a [i8],
        /// `[row]`.
        scales: &'a [f32],
    },
    /// IEEE half precision, as bits.
    F16(&'a [u16]),
}

impl Table<'_> {
    /// `Ok` if the table has as many rows of `features` values.
    fn has_rows(&self, rows: usize, features: usize) -> Result<(), ShapeError> {
        let len = match self {
            Table::I8 { values, scales } => {
                ensure(rows <= scales.len())?;
                values.len()
            }
            Table::F16(values) => values.len(),
        };
        ensure(rows.checked_mul(features).is_some_and(|needed| needed <= len))
    }
}

/// The three embedding tables of BERT.
#[derive(Clone, Copy, Debug)]
pub struct Embeddings<'a> {
    /// One row per word piece.
    pub word: Table<'a>,
    /// One row per segment.
    pub token_type: Table<'a>,
    /// One row per position.
    pub position: Table<'a>,
}

/// Operands of [`crate::Kernels::embed`].
///
/// There are at most `lanes` ids. Each names rows of `features` values in the first two tables, and so do the positions
/// from `first_position` on, one for each id, in the third; `out` has `features` rows of `lanes` elements.
#[derive(Debug)]
pub struct EmbedOperands<'a> {
    pub(crate) tables: &'a Embeddings<'a>,
    pub(crate) ids: &'a [[u32; 2]],
    pub(crate) first_position: usize,
    pub(crate) lanes: Lanes,
    pub(crate) out: &'a mut [f32],
    pub(crate) features: usize,
    _checked: Checked,
}

impl<'a> EmbedOperands<'a> {
    pub(crate) fn check(
        tables: &'a Embeddings<'a>,
        ids: &'a [[u32; 2]],
        first_position: usize,
        lanes: usize,
        out: &'a mut [f32],
    ) -> Result<Self, ShapeError> {
        let lanes = Lanes::new(lanes)?;
        ensure(ids.len() <= lanes.get() && out.len().is_multiple_of(lanes.get()))?;
        let features = out.len() / lanes.get();
        let mut most = [0; 2];
        for id in ids {
            most = [most[0].max(id[0]), most[1].max(id[1])];
        }
        if !ids.is_empty() {
            let rows = |id: u32| (id as usize).checked_add(1).ok_or(ShapeError);
            tables.word.has_rows(rows(most[0])?, features)?;
            tables.token_type.has_rows(rows(most[1])?, features)?;
            let positions = first_position.checked_add(ids.len()).ok_or(ShapeError)?;
            tables.position.has_rows(positions, features)?;
        }
        Ok(Self { tables, ids, first_position, lanes, out, features, _checked: Checked })
    }
}
