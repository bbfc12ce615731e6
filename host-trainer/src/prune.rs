//! Which blocks of a matrix are kept.

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::checkpoint::Parameters;
use crate::config::{Config, Matrix};
use crate::pattern::{BLOCK, Blocks, Census, Pattern, detect};

/// Masks by parameter name: 1 for a kept weight, 0 for a pruned one, in the shape of the matrix.
pub type Masks = std::collections::BTreeMap<String, Vec<f32>>;

/// The mask that keeps the blocks of largest mean |w| and prunes the share `sparsity` of them, rounded to
/// whole blocks. Among equal blocks the later one goes first.
///
/// # Errors
/// A matrix that cannot be cut into blocks, or a sparsity outside 0 to 1.
pub fn block_mask(weights: &[f32], columns: usize, pattern: Pattern, sparsity: f64) -> Result<Vec<f32>> {
    ensure!(
        (0.0..1.0).contains(&sparsity),
        "--sparsity {sparsity}: give a share of the weights, at least 0 and below 1"
    );
    pattern.check(weights.len() / columns.max(1), columns)?;
    let blocks = weights.len() / BLOCK;
    let pruned = (blocks as f64 * sparsity).round() as usize;
    let magnitude = |block| pattern.places(block, columns).iter().map(|&at| weights[at].abs()).sum::<f32>();
    let mut order: Vec<(f32, usize)> = (0..blocks).map(|block| (magnitude(block), block)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let mut mask = vec![1.0; weights.len()];
    for &(_, block) in order.iter().take(pruned) {
        pattern.places(block, columns).iter().for_each(|&at| mask[at] = 0.0);
    }
    Ok(mask)
}

/// Masks for all encoder matrices, each pruned to `sparsity` on its own.
///
/// # Errors
/// As for [`block_mask`]; the message names the matrix.
pub fn one_shot(config: &Config, parameters: &Parameters, pattern: Pattern, sparsity: f64) -> Result<Masks> {
    let mut masks = Masks::new();
    for (matrix, weights) in matrices(config, parameters)? {
        let mask = block_mask(weights, matrix.inputs, pattern, sparsity);
        masks.insert(matrix.name.clone(), mask.context(matrix.name)?);
    }
    Ok(masks)
}

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
        bail!("the checkpoint has no pruned matrix to lock; prune it with --schedule oneshot")
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

/// The encoder's matrices with their values.
fn matrices<'a>(config: &Config, parameters: &'a Parameters) -> Result<Vec<(Matrix, &'a [f32])>> {
    let with_values = |matrix: Matrix| {
        let values = parameters.get(&matrix.name).with_context(|| format!("{} is missing", matrix.name))?;
        Ok((matrix, values.as_slice()))
    };
    config.prunable().into_iter().map(with_values).collect()
}

#[cfg(test)]
mod tests {
    use super::block_mask;
    use crate::pattern::Pattern;

    #[test]
    fn the_smallest_blocks_go() {
        // 4 × 4. Sums of |w| by column: 4, 8, 2, 6; by row: 5 each but the last.
        #[rustfmt::skip]
        let weights = [
            1.0, -2.0, 0.5,  1.5,
           -1.0,  2.0, 0.5, -1.5,
            1.0,  2.0, 0.5,  1.5,
           -1.0,  2.0, 0.5,  1.4,
        ];
        let output = block_mask(&weights, 4, Pattern::OutputBlock, 0.5).expect("a mask");
        assert_eq!(output, [0.0, 1.0, 0.0, 1.0].repeat(4));
        let input = block_mask(&weights, 4, Pattern::InputBlock, 0.25).expect("a mask");
        assert_eq!(input, [[1.0; 4], [1.0; 4], [1.0; 4], [0.0; 4]].concat());
    }

    #[test]
    fn equal_blocks_fall_from_the_end_and_shares_are_rounded() {
        let pruned = |sparsity| {
            let mask = block_mask(&[1.0; 40], 40, Pattern::InputBlock, sparsity).expect("a mask");
            mask.iter().rposition(|&m| m == 1.0).map_or(0, |at| at + 1)
        };
        assert_eq!(pruned(0.0), 40);
        assert_eq!(pruned(0.8), 8);
        assert_eq!(pruned(0.84), 8);
        assert_eq!(pruned(0.86), 4);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        assert!(block_mask(&[1.0; 12], 4, Pattern::OutputBlock, 0.5).is_err());
        assert!(block_mask(&[1.0; 12], 3, Pattern::InputBlock, 0.5).is_err());
        assert!(block_mask(&[1.0; 16], 4, Pattern::InputBlock, 1.0).is_err());
        assert!(block_mask(&[1.0; 16], 4, Pattern::InputBlock, f64::NAN).is_err());
    }
}
