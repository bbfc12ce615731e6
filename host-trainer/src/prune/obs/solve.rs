//! What blocks cost, and the weights without those that cost least.

use rayon::prelude::*;

use super::group::Group;
use super::problem::Problem;
use crate::prune::score::kept;

/// What a stage leaves of the blocks that it found, at least. Costs hold for one block; where inputs depend on
/// each other, several that are cheap alone are dear together.
pub(super) const STAGE: f64 = 0.85;

impl Problem<'_> {
    /// What dropping each block costs, given the blocks that are kept so far; the sum over all inputs of the
    /// squared change of the outputs. `PRUNED` for those that are not kept.
    pub fn costs(&self, kept: &[bool]) -> Vec<f32> {
        self.solve(kept, true).1
    }

    /// Drops blocks until `count` are gone, beginning from `before`, and returns the blocks that stay and the
    /// weights, of which those of pruned blocks are exactly 0 and the others make up for them.
    pub fn prune(&self, before: Vec<bool>, count: usize) -> (Vec<bool>, Vec<f32>) {
        let blocks = self.blocks();
        let mut left = before.iter().filter(|kept| **kept).count();
        let target = blocks - count.min(blocks);
        let mut kept_blocks = before;
        while left > target {
            left = ((STAGE * left as f64) as usize).max(target);
            kept_blocks = kept(&self.costs(&kept_blocks), blocks - left);
        }
        let weights = self.solve(&kept_blocks, false).0;
        (kept_blocks, weights)
    }

    /// The best weights for the blocks that are kept and, if asked for, what dropping each of them costs.
    pub(super) fn solve(&self, kept: &[bool], costs: bool) -> (Vec<f32>, Vec<f32>) {
        let solved: Vec<(Vec<f32>, Vec<f32>)> = (0..Group::count(self))
            .into_par_iter()
            .map(|number| Group::new(self, number, kept).solve(costs))
            .collect();
        let (weights, costs): (Vec<_>, Vec<_>) = solved.into_iter().unzip();
        (weights.concat(), costs.concat())
    }
}
