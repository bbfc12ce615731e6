//! The number of lanes.

use super::ShapeError;
use crate::layout::{row_lanes, score_lanes};

/// Lanes of a tile.
///
/// A type of its own so that the compiler knows that there are some: else divisions by them and chunks of them would
/// keep the code for panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Lanes {
    /// 16 lanes.
    L16 = 16,
    /// 32 lanes.
    L32 = 32,
    /// 48 lanes.
    L48 = 48,
    /// 64 lanes, a whole tile.
    L64 = 64,
}

impl Lanes {
    /// A tile with as many lanes, if there is such a tile.
    pub(super) fn new(lanes: usize) -> Result<Self, ShapeError> {
        match lanes {
            16 => Ok(Lanes::L16),
            32 => Ok(Lanes::L32),
            48 => Ok(Lanes::L48),
            64 => Ok(Lanes::L64),
            _ => Err(ShapeError),
        }
    }

    /// The number.
    #[inline(always)]
    pub(crate) const fn get(self) -> usize {
        self as usize
    }

    /// [`row_lanes`] of it, which are not 0 either.
    #[inline(always)]
    pub(crate) const fn of_row(self) -> usize {
        row_lanes(self.get())
    }

    /// [`score_lanes`] of it.
    #[inline(always)]
    pub(crate) const fn of_scores(self) -> usize {
        score_lanes(self.get())
    }
}
