//! Which blocks of the encoder's matrices are kept, and when the others go.
//!
//! Embeddings, layer normalization and the head are never pruned. A pruned weight is exactly 0 and stays so: its
//! mask is part of the network's graph, so it receives no gradient.

mod linalg;
mod lock;
pub mod obs;
pub mod pattern;
mod pruner;
mod ramp;
mod score;

use anyhow::{Context, Result, ensure};

pub use lock::lock;
pub use pruner::{Plan, Pruner, Statistics};
pub use ramp::Ramp;
pub use score::{Scope, Score, counts, magnitude};

use candle_core::Device;

use crate::checkpoint::Parameters;
use crate::config::Config;
use crate::model::Variables;
use crate::prune::pattern::Pattern;

/// Masks by parameter name: 1 for a kept weight, 0 for a pruned one, in the shape of the matrix.
pub type Masks = std::collections::BTreeMap<String, Vec<f32>>;

/// Sets pruned weights to exactly 0.
pub fn apply(parameters: &mut Parameters, masks: &Masks) {
    for (name, mask) in masks {
        if let Some(weights) = parameters.get_mut(name) {
            for (weight, mask) in weights.iter_mut().zip(mask) {
                if *mask == 0.0 {
                    *weight = 0.0;
                }
            }
        }
    }
}

/// Counts the pruned weights and checks that each is exactly 0.
///
/// # Errors
/// A pruned weight that is not 0.
pub fn assert_pruned(parameters: &Parameters, masks: &Masks) -> Result<usize> {
    let mut count = 0;
    for (name, mask) in masks {
        let weights = parameters.get(name).with_context(|| format!("{name} is missing"))?;
        for (weight, mask) in weights.iter().zip(mask) {
            if *mask == 0.0 {
                ensure!(*weight == 0.0, "{name}: a pruned weight became {weight}");
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Masks for all encoder matrices, each pruned to `sparsity` on its own, by magnitude.
///
/// # Errors
/// A sparsity out of range, or a matrix that cannot be cut into blocks; the message names it.
pub fn one_shot(config: &Config, parameters: &Parameters, pattern: Pattern, sparsity: f64) -> Result<Masks> {
    let variables = Variables::trained(config, parameters, &Device::Cpu, |_| true)?;
    let mut pruner = Pruner::new(config, Plan::one_shot(pattern, sparsity), Vec::new())?;
    Ok(pruner.before_step(0, 0.0, &variables, &Masks::new())?.unwrap_or_default())
}
