//! What a block is worth, and which blocks go.

use core::fmt;

use crate::prune::pattern::{BLOCK, Blocks, Pattern};

/// How a block's worth is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// The mean of its |w|.
    Magnitude,
    /// The square of its part in the first-order change of the loss, Σ w·g, averaged over the steps since the
    /// last pruning (Molchanov et al., "Importance estimation for neural network pruning", 2019).
    Taylor,
    /// How much the layer's output must change without it, when the kept weights make up for it as well as they
    /// can; and they do (see [`super::obs`]).
    Obs,
}

/// Within what a share of the blocks is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The same share of every matrix.
    Matrix,
    /// A share of all matrices together: those that matter less lose more.
    Global,
}

impl Score {
    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Score::Magnitude => "magnitude",
            Score::Taylor => "taylor",
            Score::Obs => "obs",
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The score of a block that is pruned already: it goes before every other.
pub(super) const PRUNED: f32 = f32::NEG_INFINITY;

/// The mean |w| of every block.
pub fn magnitude(weights: &[f32], columns: usize, pattern: Pattern) -> Vec<f32> {
    by_block(weights.len(), columns, pattern, |places| {
        places.iter().map(|&at| weights[at].abs()).sum::<f32>() / BLOCK as f32
    })
}

/// `f` of the places of every block of a matrix of `len` weights.
pub(super) fn by_block<T>(
    len: usize,
    columns: usize,
    pattern: Pattern,
    f: impl Fn([usize; BLOCK]) -> T,
) -> Vec<T> {
    (0..len / BLOCK).map(|block| f(pattern.places(block, columns))).collect()
}

/// How many blocks of each matrix go so that the share `sparsity` of the blocks is pruned, rounded to whole
/// blocks: of each matrix for itself, or of all together by their scores.
pub fn counts(scores: &[Vec<f32>], scope: Scope, sparsity: f64) -> Vec<usize> {
    let share = |blocks: usize| (blocks as f64 * sparsity).round() as usize;
    match scope {
        Scope::Matrix => scores.iter().map(|scores| share(scores.len())).collect(),
        Scope::Global => {
            let mut all: Vec<(f32, usize)> = scores
                .iter()
                .enumerate()
                .flat_map(|(matrix, scores)| scores.iter().map(move |&score| (score, matrix)))
                .collect();
            // Among equal scores the later matrix goes first, as the later block does.
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let mut counts = vec![0; scores.len()];
            all.iter().take(share(all.len())).for_each(|&(_, matrix)| counts[matrix] += 1);
            counts
        }
    }
}

/// Which blocks stay when the `count` of lowest score go. Among equal blocks the later one goes first.
pub(super) fn kept(scores: &[f32], count: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
    let mut kept = vec![true; scores.len()];
    order.iter().take(count).for_each(|&block| kept[block] = false);
    kept
}

/// 1 for the weights of kept blocks, 0 for the others.
pub(super) fn mask(kept: &[bool], columns: usize, pattern: Pattern) -> Vec<f32> {
    let mut mask = vec![1.0; kept.len() * BLOCK];
    for (block, _) in kept.iter().enumerate().filter(|(_, kept)| !**kept) {
        pattern.places(block, columns).iter().for_each(|&at| mask[at] = 0.0);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::{PRUNED, Scope, counts, kept, magnitude, mask};
    use crate::prune::pattern::Pattern;

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
        let masked = |pattern, count| mask(&kept(&magnitude(&weights, 4, pattern), count), 4, pattern);
        assert_eq!(masked(Pattern::OutputBlock, 2), [0.0, 1.0, 0.0, 1.0].repeat(4));
        assert_eq!(masked(Pattern::InputBlock, 1), [[1.0; 4], [1.0; 4], [1.0; 4], [0.0; 4]].concat());
    }

    #[test]
    fn equal_blocks_fall_from_the_end_and_pruned_ones_first() {
        assert_eq!(kept(&[1.0; 5], 2), [true, true, true, false, false]);
        assert_eq!(kept(&[1.0, PRUNED, 0.0, 2.0], 2), [true, false, false, true]);
    }

    #[test]
    fn shares_are_rounded_and_shared_out() {
        let scores = [vec![1.0; 10], vec![2.0, 0.5, 0.5, 3.0]];
        assert_eq!(counts(&scores, Scope::Matrix, 0.84), [8, 3]);
        assert_eq!(counts(&scores, Scope::Matrix, 0.0), [0, 0]);
        // The two halves go first, then five of the ones.
        assert_eq!(counts(&scores, Scope::Global, 0.5), [5, 2]);
        assert_eq!(counts(&scores, Scope::Global, 1.0), [10, 4]);
    }
}
