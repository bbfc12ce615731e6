use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::group::Group;
use super::problem::{Inputs, Problem};
use super::solve::STAGE;
use crate::prune::linalg::dot;
use crate::prune::pattern::{BLOCK, Blocks, Pattern};
use crate::prune::score::{PRUNED, kept, magnitude, mask};

const COLUMNS: usize = 24;
const ROWS: usize = 8;

/// Weights, and the moments of inputs that depend on each other: mixtures of 9 sources, and noise.
fn layer(rows: usize, columns: usize, seed: u64) -> (Vec<f32>, Vec<f64>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let weights = (0..rows * columns).map(|_| rng.random_range(-1.0..1.0f32)).collect();
    let mix: Vec<f64> = (0..columns * 9).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut moments = vec![0.0; columns * columns];
    for _ in 0..400 {
        let sources: Vec<f64> = (0..9).map(|_| rng.random_range(-1.0..1.0)).collect();
        let x: Vec<f64> = (0..columns)
            .map(|i| dot(&mix[i * 9..(i + 1) * 9], &sources) + rng.random_range(-0.1..0.1))
            .collect();
        for i in 0..columns {
            (0..columns).for_each(|j| moments[i * columns + j] += x[i] * x[j]);
        }
    }
    (weights, moments)
}

/// Σ over inputs of the squared change of the outputs.
fn error(problem: &Problem<'_>, weights: &[f32]) -> f64 {
    let change: Vec<f32> = weights.iter().zip(problem.weights).map(|(a, b)| a - b).collect();
    Problem::new(&change, problem.pattern, problem.inputs).energy()
}

#[test]
fn reconstruction_is_better_than_by_magnitude() -> Result<()> {
    for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
        // Errors as shares of that of plain magnitude pruning: by cost, and by magnitude but made up for.
        let mut total = [0.0; 2];
        for seed in 0..4 {
            let (weights, moments) = layer(ROWS, COLUMNS, seed);
            let inputs = Inputs::new(COLUMNS, moments)?;
            let problem = Problem::new(&weights, pattern, &inputs);
            let blocks = problem.blocks();
            for count in [blocks / 4, blocks / 2, 3 * blocks / 4] {
                let (kept_blocks, pruned) = problem.prune(vec![true; blocks], count);
                assert_eq!(kept_blocks.iter().filter(|kept| !**kept).count(), count);
                let mask_of = |kept: &[bool]| mask(kept, COLUMNS, pattern);
                assert!(
                    mask_of(&kept_blocks).iter().zip(&pruned).all(|(m, w)| *m == 1.0 || *w == 0.0),
                    "a pruned weight is not 0"
                );
                let by_magnitude = kept(&magnitude(&weights, COLUMNS, pattern), count);
                let mask = mask_of(&by_magnitude);
                let plain: Vec<f32> = weights.iter().zip(&mask).map(|(w, m)| w * m).collect();
                let made_up = problem.solve(&by_magnitude, false).0;
                let errors = [&pruned, &made_up, &plain].map(|weights| error(&problem, weights));
                assert!(errors[1] < 0.8 * errors[2], "{pattern}, {count} of {blocks}: {errors:?}");
                total[0] += errors[0] / errors[2];
                total[1] += errors[1] / errors[2];
            }
        }
        assert!(total[0] < 0.8 * total[1], "{pattern}: {total:?}");
    }
    Ok(())
}

#[test]
fn both_ways_to_solve_agree_and_costs_are_what_dropping_costs() -> Result<()> {
    for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
        let (weights, moments) = layer(ROWS, COLUMNS, 7);
        let inputs = Inputs::new(COLUMNS, moments)?;
        let problem = Problem::new(&weights, pattern, &inputs);
        let kept_blocks: Vec<bool> = (0..problem.blocks()).map(|block| block % 5 < 3).collect();
        for number in 0..Group::count(&problem) {
            let group = Group::new(&problem, number, &kept_blocks);
            let by_kept = group.solve_by_kept(true).context("no factor")?;
            let by_pruned = group.solve_by_pruned(true).context("no factor")?;
            for (a, b) in [(&by_kept.0, &by_pruned.0), (&by_kept.1, &by_pruned.1)] {
                assert!(a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() <= 1e-4 * a.abs().max(1.0)));
            }
        }
        let (before, costs) = problem.solve(&kept_blocks, true);
        for block in (0..problem.blocks()).filter(|&block| kept_blocks[block]).step_by(5) {
            let mut fewer = kept_blocks.clone();
            fewer[block] = false;
            let after = problem.solve(&fewer, false).0;
            let grown = error(&problem, &after) - error(&problem, &before);
            assert!(
                (grown - f64::from(costs[block])).abs() < 1e-3 * grown.max(0.1),
                "{pattern}, block {block}: {grown}, foretold {}",
                costs[block]
            );
            assert!(pattern.places(block, COLUMNS).iter().all(|&at| after[at] == 0.0));
        }
        assert!(costs.iter().zip(&kept_blocks).all(|(cost, kept)| *kept == (*cost != PRUNED)));
    }
    Ok(())
}

#[test]
fn the_blocks_that_go_are_those_of_the_plain_algorithm() -> Result<()> {
    // Over several panels of the elimination, with a remainder.
    let (rows, columns) = (12, 76);
    for pattern in [Pattern::OutputBlock, Pattern::InputBlock] {
        let (weights, moments) = layer(rows, columns, 3);
        let inputs = Inputs::new(columns, moments)?;
        let problem = Problem::new(&weights, pattern, &inputs);
        let blocks = problem.blocks();
        for count in [blocks / 10, blocks / 2, 4 * blocks / 5] {
            let (kept_blocks, pruned) = problem.prune(vec![true; blocks], count);
            let (expected, expected_weights) = plain::prune(&problem, count);
            assert_eq!(kept_blocks, expected, "{pattern}, {count} of {blocks}");
            for (found, expected) in pruned.iter().zip(&expected_weights) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{pattern}: {found}, {expected}");
            }
        }
    }
    Ok(())
}

/// The algorithm as its description reads, a value at a time and with a whole inverse wherever there is one.
mod plain {
    use super::*;

    /// Gauss and Jordan's, without pivoting, of the rows and columns `index`.
    fn inverse(a: impl Fn(usize, usize) -> f64, index: &[usize]) -> Vec<Vec<f64>> {
        let n = index.len();
        let unit = |i: usize, j: usize| f64::from(u8::from(i == j));
        let mut rows: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..2 * n).map(|j| if j < n { a(index[i], index[j]) } else { unit(i, j - n) }).collect())
            .collect();
        for k in 0..n {
            let pivot: Vec<f64> = rows[k].iter().map(|value| value / rows[k][k]).collect();
            for (i, row) in rows.iter_mut().enumerate() {
                let factor = row[k];
                let of = |(value, pivot): (&f64, &f64)| if i == k { *pivot } else { value - factor * pivot };
                *row = row.iter().zip(&pivot).map(of).collect();
            }
        }
        rows.into_iter().map(|row| row[n..].to_vec()).collect()
    }

    /// The weights for these blocks, and what dropping each costs.
    fn solve(problem: &Problem<'_>, kept_blocks: &[bool]) -> (Vec<f64>, Vec<f32>) {
        let columns = problem.columns();
        let moments = |i: usize, j: usize| problem.inputs.moments.at(i, j);
        let mask = mask(kept_blocks, columns, problem.pattern);
        let mut weights = vec![0.0; mask.len()];
        let mut costs = vec![0.0f64; kept_blocks.len()];
        for row in 0..mask.len() / columns {
            let keep: Vec<usize> = (0..columns).filter(|j| mask[row * columns + j] != 0.0).collect();
            let c = inverse(moments, &keep);
            let dense = problem.row(row);
            let target = |&i: &usize| (0..columns).map(|j| moments(i, j) * dense[j]).sum::<f64>();
            let targets: Vec<f64> = keep.iter().map(target).collect();
            let best: Vec<f64> =
                c.iter().map(|row| row.iter().zip(&targets).map(|(c, target)| c * target).sum()).collect();
            keep.iter().zip(&best).for_each(|(&j, &w)| weights[row * columns + j] = w);
            let width = problem.width();
            for first in (0..keep.len()).step_by(width) {
                let block: Vec<usize> = (first..first + width).collect();
                let inner = inverse(|i, j| c[i][j], &block);
                let form = |i: usize, j: usize| best[first + i] * inner[i][j] * best[first + j];
                let units = columns / width;
                // Where four rows share a block their costs add up.
                let number = row / (BLOCK / width) * units + keep[first] / width;
                costs[number] += (0..width * width).map(|at| form(at / width, at % width)).sum::<f64>();
            }
        }
        let of = |(cost, kept): (&f64, &bool)| if *kept { *cost as f32 } else { PRUNED };
        (weights, costs.iter().zip(kept_blocks).map(of).collect())
    }

    pub(super) fn prune(problem: &Problem<'_>, count: usize) -> (Vec<bool>, Vec<f64>) {
        let blocks = problem.blocks();
        let mut kept_blocks = vec![true; blocks];
        let mut left = blocks;
        while left > blocks - count {
            left = ((STAGE * left as f64) as usize).max(blocks - count);
            kept_blocks = kept(&solve(problem, &kept_blocks).1, blocks - left);
        }
        (kept_blocks.clone(), solve(problem, &kept_blocks).0)
    }
}

#[test]
fn inputs_that_say_nothing_are_refused() {
    for moments in [vec![0.0; 16], vec![f64::NAN; 16], vec![0.0; 9]] {
        assert!(Inputs::new(4, moments).is_err());
    }
}
