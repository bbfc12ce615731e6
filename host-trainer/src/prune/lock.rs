//! Keeping the pattern with which a checkpoint came.

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::masks::Masks;
use crate::checkpoint::Parameters;
use crate::config::{Config, Matrix};
use crate::prune::pattern::{BLOCK, Blocks, Census, Pattern, detect};

/// Masks that keep the zero blocks with which the checkpoint came, and the pattern that they follow.
/// A kept block may hold zeros, which train on. Dense matrices get no mask.
///
/// # Errors
/// A checkpoint without pruned matrices, or whose zeros follow neither `pattern` (when given) nor, for
/// `None`, any pattern.
pub fn lock(config: &Config, parameters: &Parameters, pattern: Option<Pattern>) -> Result<(Masks, Pattern)> {
    let matrices = matrices(config, parameters)?;
    let censuses: Vec<Census> =
        matrices.iter().map(|(matrix, weights)| Census::new(weights, matrix.inputs)).collect();
    let names = matrices.iter().map(|(matrix, _)| matrix.name.as_str());
    let found = detect(names.zip(censuses.iter().copied()))
        .map_err(|error| anyhow!("{error}; prune it in 1×4 blocks (--sparsity)"))?;
    let Some(found) = found else {
        bail!("the checkpoint has no pruned matrix to lock; prune it with --sparsity")
    };
    if let Some(asked) = pattern {
        ensure!(asked == found, "the checkpoint is pruned in the pattern {found}, not {asked}");
    }
    let mut masks = Masks::new();
    for ((matrix, weights), census) in matrices.into_iter().zip(censuses) {
        if census.is_dense() {
            continue;
        }
        found.check(matrix.outputs, matrix.inputs).with_context(|| matrix.name.clone())?;
        let mut mask = vec![1.0; weights.len()];
        for block in 0..weights.len() / BLOCK {
            let places = found.places(block, matrix.inputs);
            if places.iter().all(|&at| weights[at] == 0.0) {
                places.iter().for_each(|&at| mask[at] = 0.0);
            }
        }
        masks.insert(matrix.name, mask);
    }
    Ok((masks, found))
}

/// The encoder's matrices with their values.
fn matrices<'a>(config: &Config, parameters: &'a Parameters) -> Result<Vec<(Matrix, &'a [f32])>> {
    let with_values = |matrix: Matrix| {
        let values = parameters.get(&matrix.name).with_context(|| format!("{} is missing", matrix.name))?;
        Ok((matrix, values.as_slice()))
    };
    config.prunable().into_iter().map(with_values).collect()
}
