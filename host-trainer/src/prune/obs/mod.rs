//! Second-order pruning: the optimal brain surgeon (Hassibi and Stork 1993) on blocks of a layer, with the
//! layer's own inputs as the measure, as in optimal brain compression (Frantar and Alistarh 2022), SparseGPT
//! (2023) and oBERT (Kurtic et al. 2022).
//!
//! A linear map of inputs `x` changes its outputs by `(w − w₀)ᵀ·A·(w − w₀)` a row, with `A = Σ x·xᵀ + λ·I` over
//! calibration data. The rows that share a block (four of an output block, one of an input block) form a group
//! with one set `K` of kept columns and `P` of pruned ones. For a given `K` the best kept weights are
//! `w_K = A_KK⁻¹ · (A·w₀)_K`; dropping the further columns `Q` costs `w_Qᵀ · (C_QQ)⁻¹ · w_Q` with
//! `C = A_KK⁻¹`. Here both are exact: blocks go in a few stages, in each of them those that cost least over the
//! whole matrix, and costs and weights are computed anew for what is left. (SparseGPT sweeps the columns once
//! and never looks back.)

mod group;
mod problem;
mod solve;
#[cfg(test)]
mod tests;

pub use problem::{Inputs, Problem};
