//! Blocks of four weights, and finding out which way a matrix was pruned.

use core::fmt;
use core::iter::Sum;

use anyhow::{Result, bail, ensure};
pub use blockspan_kernels::matrix::Pattern;

/// Weights in a block.
pub const BLOCK: usize = 4;

/// The blocks of a row-major `[rows, columns]` matrix under a [`Pattern`].
pub trait Blocks {
    /// The four places of a block. Blocks are numbered row-major: of `[rows / 4, columns]` for
    /// [`Pattern::OutputBlock`], of `[rows, columns / 4]` for [`Pattern::InputBlock`].
    fn places(self, block: usize, columns: usize) -> [usize; BLOCK];

    /// Checks that a matrix can be cut into blocks.
    ///
    /// # Errors
    /// When the blocked dimension is not a multiple of four.
    fn check(self, rows: usize, columns: usize) -> Result<()>;

    /// The number of blocks whose four weights are all 0.
    fn zero_blocks<T: Copy + Default + PartialEq>(self, weights: &[T], columns: usize) -> usize;
}

impl Blocks for Pattern {
    fn places(self, block: usize, columns: usize) -> [usize; BLOCK] {
        match self {
            Pattern::OutputBlock => {
                let first = block / columns * BLOCK * columns + block % columns;
                core::array::from_fn(|i| first + i * columns)
            }
            Pattern::InputBlock => core::array::from_fn(|i| block * BLOCK + i),
        }
    }

    fn check(self, rows: usize, columns: usize) -> Result<()> {
        let (name, size) = match self {
            Pattern::OutputBlock => ("outputs", rows),
            Pattern::InputBlock => ("inputs", columns),
        };
        ensure!(size % BLOCK == 0, "{size} {name} cannot be cut into blocks of four ({self})");
        Ok(())
    }

    fn zero_blocks<T: Copy + Default + PartialEq>(self, weights: &[T], columns: usize) -> usize {
        let zero = |block: [usize; BLOCK]| block.iter().all(|&at| weights[at] == T::default());
        (0..weights.len() / BLOCK).filter(|&block| zero(self.places(block, columns))).count()
    }
}

/// The zeros of a matrix, seen both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Census {
    /// Weights.
    pub weights: usize,
    /// Weights that are 0.
    pub zeros: usize,
    /// All-zero blocks of four outputs.
    pub output_blocks: usize,
    /// All-zero blocks of four inputs.
    pub input_blocks: usize,
}

/// The share of a matrix that must be 0 for it to count as pruned. Trained weights are hardly ever
/// exactly 0; f16 and small rounding make a few.
const DENSE_BELOW: f64 = 0.02;

/// The share of a matrix's zeros that lie in all-zero blocks when the pattern explains them. Below 1,
/// because kept blocks may hold zeros too.
const EXPLAINED_ABOVE: f64 = 0.9;

impl Census {
    /// Counts a row-major matrix of `columns` columns.
    pub fn new(weights: &[f32], columns: usize) -> Self {
        Census {
            weights: weights.len(),
            zeros: weights.iter().filter(|&&w| w == 0.0).count(),
            output_blocks: Pattern::OutputBlock.zero_blocks(weights, columns),
            input_blocks: Pattern::InputBlock.zero_blocks(weights, columns),
        }
    }

    /// The share of weights that are 0.
    pub fn sparsity(&self) -> f64 {
        if self.weights == 0 { 0.0 } else { self.zeros as f64 / self.weights as f64 }
    }

    /// The share of the blocks of `pattern` that hold a weight other than 0.
    pub fn block_density(&self, pattern: Pattern) -> f64 {
        let zeros = (self.zero_blocks(pattern) * BLOCK) as f64;
        if self.weights == 0 { 0.0 } else { 1.0 - zeros / self.weights as f64 }
    }

    /// Whether the matrix has so few zeros that it was not pruned.
    pub fn is_dense(&self) -> bool {
        self.sparsity() < DENSE_BELOW
    }

    /// The share of the zeros that all-zero blocks of `pattern` explain; 1 when there are none.
    pub fn explained(&self, pattern: Pattern) -> f64 {
        let zeros = (self.zero_blocks(pattern) * BLOCK) as f64;
        if self.zeros == 0 { 1.0 } else { zeros / self.zeros as f64 }
    }

    /// What the matrix shows by itself.
    pub fn verdict(&self) -> Verdict {
        let follows = |pattern| self.explained(pattern) >= EXPLAINED_ABOVE;
        match (follows(Pattern::OutputBlock), follows(Pattern::InputBlock)) {
            _ if self.is_dense() => Verdict::Dense,
            (true, true) => Verdict::Either,
            (true, false) => Verdict::Follows(Pattern::OutputBlock),
            (false, true) => Verdict::Follows(Pattern::InputBlock),
            (false, false) => Verdict::Neither,
        }
    }

    /// The pattern that explains more of the zeros; output-block for as many.
    pub fn closest(&self) -> Pattern {
        if self.output_blocks >= self.input_blocks { Pattern::OutputBlock } else { Pattern::InputBlock }
    }

    fn zero_blocks(&self, pattern: Pattern) -> usize {
        match pattern {
            Pattern::OutputBlock => self.output_blocks,
            Pattern::InputBlock => self.input_blocks,
        }
    }

    fn figures(&self, name: &str) -> String {
        format!(
            "{name}: {:.1} % of its weights are zero; blocks of four outputs explain {:.1} % of the zeros, \
             blocks of four inputs {:.1} %",
            100.0 * self.sparsity(),
            100.0 * self.explained(Pattern::OutputBlock),
            100.0 * self.explained(Pattern::InputBlock)
        )
    }
}

/// Several matrices as one.
impl Sum for Census {
    fn sum<I: Iterator<Item = Census>>(censuses: I) -> Self {
        censuses.fold(Census::default(), |sum, census| Census {
            weights: sum.weights + census.weights,
            zeros: sum.zeros + census.zeros,
            output_blocks: sum.output_blocks + census.output_blocks,
            input_blocks: sum.input_blocks + census.input_blocks,
        })
    }
}

/// The pattern of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Hardly any zeros.
    Dense,
    /// Blocks of this pattern explain the zeros, those of the other do not.
    Follows(Pattern),
    /// Both patterns explain the zeros, as when all weights are 0.
    Either,
    /// Neither pattern explains the zeros.
    Neither,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Dense => "dense",
            Verdict::Follows(pattern) => pattern.name(),
            Verdict::Either => "either",
            Verdict::Neither => "neither",
        })
    }
}

/// The pattern that the zeros of a network's matrices follow: names, censuses. `None` when every matrix
/// is dense. Dense matrices beside pruned ones are welcome: they have nothing to explain.
///
/// # Errors
/// A pruned matrix whose zeros neither pattern explains, or whose pattern differs from that of the
/// others; the message names it and gives both figures.
pub fn detect<'a>(censuses: impl IntoIterator<Item = (&'a str, Census)>) -> Result<Option<Pattern>> {
    let pruned: Vec<_> = censuses.into_iter().filter(|(_, census)| !census.is_dense()).collect();
    if pruned.is_empty() {
        return Ok(None);
    }
    if let Some((name, census)) = pruned.iter().find(|(_, census)| census.verdict() == Verdict::Neither) {
        bail!("{}: neither pattern", census.figures(name));
    }
    let first = |pattern| pruned.iter().find(|(_, census)| census.verdict() == Verdict::Follows(pattern));
    match (first(Pattern::OutputBlock), first(Pattern::InputBlock)) {
        (Some(_), None) => Ok(Some(Pattern::OutputBlock)),
        (None, Some(_)) => Ok(Some(Pattern::InputBlock)),
        (None, None) => Ok(Some(pruned.iter().map(|(_, census)| *census).sum::<Census>().closest())),
        (Some((output, a)), Some((input, b))) => {
            bail!("{}; but {}: one network must follow one pattern", a.figures(output), b.figures(input))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocks, Census, Pattern, Verdict, detect};

    /// A matrix of 8 × 8 whose blocks are zero where `zero(block)` says so.
    fn matrix(pattern: Pattern, zero: impl Fn(usize) -> bool) -> Vec<f32> {
        let mut weights = vec![1.0; 64];
        for block in (0..16).filter(|&block| zero(block)) {
            pattern.places(block, 8).iter().for_each(|&at| weights[at] = 0.0);
        }
        weights
    }

    #[test]
    fn places_of_a_block() {
        // In a matrix of 3 columns: block 4 is column 1 of the second strip of four rows.
        assert_eq!(Pattern::OutputBlock.places(4, 3), [13, 16, 19, 22]);
        assert_eq!(Pattern::InputBlock.places(4, 8), [16, 17, 18, 19]);
    }

    #[test]
    fn both_patterns_are_told_apart() {
        for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
            let other = match pattern {
                Pattern::OutputBlock => Pattern::InputBlock,
                Pattern::InputBlock => Pattern::OutputBlock,
            };
            let census = Census::new(&matrix(pattern, |block| block % 5 != 0), 8);
            assert_eq!(census.zeros, 48);
            assert_eq!(census.explained(pattern), 1.0);
            assert!(census.explained(other) < 0.7, "{census:?}");
            assert_eq!(census.verdict(), Verdict::Follows(pattern));
            assert_eq!((census.block_density(pattern), census.sparsity()), (0.25, 0.75));
            assert_eq!([census, census].into_iter().sum::<Census>().closest(), pattern);
            assert_eq!(detect([("w", census)]).expect("a pattern"), Some(pattern));
        }
    }

    #[test]
    fn dense_matrices_have_nothing_to_explain() {
        let dense = Census::new(&[1.0; 64], 8);
        assert_eq!(dense.verdict(), Verdict::Dense);
        assert_eq!(detect([("w", dense)]).expect("dense"), None);
        // A stray zero, as rounding to f16 makes, is no pruning.
        let mut stray = vec![1.0; 64 * 64];
        stray[77] = 0.0;
        let pruned = Census::new(&matrix(Pattern::InputBlock, |block| block % 5 != 0), 8);
        let found = detect([("a", Census::new(&stray, 64)), ("b", pruned), ("c", dense)]);
        assert_eq!(found.expect("a pattern"), Some(Pattern::InputBlock));
    }

    #[test]
    fn a_few_zeros_inside_kept_blocks_do_not_disturb() {
        let mut weights = matrix(Pattern::OutputBlock, |block| block % 4 != 0);
        let kept = weights.iter().position(|&w| w != 0.0).expect("a kept weight");
        weights[kept] = 0.0;
        assert_eq!(detect([("w", Census::new(&weights, 8))]).expect("a pattern"), Some(Pattern::OutputBlock));
    }

    #[test]
    fn unstructured_zeros_are_refused_by_name_with_both_figures() {
        let weights: Vec<f32> = (0..64).map(|i| if (i * 7) % 3 == 0 { 0.0 } else { 1.0 }).collect();
        let message =
            detect([("layer.weight", Census::new(&weights, 8))]).expect_err("no pattern").to_string();
        assert!(message.starts_with("layer.weight: 34.4 % "), "{message}");
        assert!(
            message.contains("four outputs explain 0.0 %") && message.contains("four inputs 0.0 %"),
            "{message}"
        );
    }

    #[test]
    fn one_network_follows_one_pattern() {
        let output = Census::new(&matrix(Pattern::OutputBlock, |block| block % 5 != 0), 8);
        let input = Census::new(&matrix(Pattern::InputBlock, |block| block % 5 != 0), 8);
        let message = detect([("a", output), ("b", input)]).expect_err("mixed").to_string();
        assert!(message.starts_with("a: 75.0 %") && message.contains("but b: 75.0 %"), "{message}");
        // An all-zero matrix follows whatever the others do, before or after it.
        let zero = Census::new(&[0.0; 64], 8);
        assert_eq!(zero.verdict(), Verdict::Either);
        for order in [[("a", input), ("b", zero)], [("b", zero), ("a", input)]] {
            assert_eq!(detect(order).expect("a pattern"), Some(Pattern::InputBlock));
        }
    }
}
