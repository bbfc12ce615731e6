//! Which weights are pruned, and that they are 0.

use anyhow::{Context, Result, ensure};

use crate::checkpoint::Parameters;

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
