//! The little dense algebra that second-order pruning needs, in f64. (The crates that offer it take minutes to
//! compile; all of it is products of tiles and dot products of rows.)
//!
//! Each sum has one order, whatever the vector width and the number of threads.

mod eliminate;
mod matrix;
mod strips;

pub(super) use eliminate::{Right, eliminate};
#[cfg(test)]
pub(super) use matrix::dot;
pub(super) use matrix::{Mat, inverse_form, solve_upper};
pub(super) use strips::{Strips, product};
