//! Pruning in the course of a run.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use candle_core::{D, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::masks::Masks;
use super::obs::{Inputs, Problem};
use super::ramp::Ramp;
use super::score::{self, PRUNED, Scope, Score};
use crate::checkpoint::Parameters;
use crate::config::{Config, Matrix};
use crate::model::{BertForQuestionAnswering, Input, Variables};
use crate::prune::pattern::{BLOCK, Blocks, Pattern};

/// What to prune, by what measure and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The blocks.
    pub pattern: Pattern,
    /// The share of the blocks that is pruned in the end, at least 0 and below 1.
    pub sparsity: f64,
    /// How a block's worth is told.
    pub score: Score,
    /// Within what the share counts.
    pub scope: Scope,
    /// When.
    pub ramp: Ramp,
}

impl Plan {
    /// Once, before the first step: the same share of every matrix, by magnitude.
    pub fn one_shot(pattern: Pattern, sparsity: f64) -> Self {
        let ramp = Ramp { begin: 0.0, end: 0.0, every: 1 };
        Plan { pattern, sparsity, score: Score::Magnitude, scope: Scope::Matrix, ramp }
    }
}

/// What the steps since the last pruning showed, for [`Score::Taylor`]. Plain data: whoever resumes a run gives
/// it back.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Statistics {
    /// Σ over steps of (Σ w·g)² of each block, by matrix name.
    pub squares: BTreeMap<String, Vec<f32>>,
}

/// Prunes a network while it trains.
pub struct Pruner {
    config: Config,
    plan: Plan,
    /// Batches whose inputs [`Score::Obs`] measures by.
    calibration: Vec<Input>,
    statistics: Statistics,
}

impl Pruner {
    /// `calibration` are batches of training data, of which only [`Score::Obs`] needs any.
    ///
    /// # Errors
    /// A sparsity out of range, or a matrix that cannot be cut into blocks; the message names it.
    pub fn new(config: &Config, plan: Plan, calibration: Vec<Input>) -> Result<Self> {
        let Plan { sparsity, ramp: Ramp { begin, end, every }, .. } = plan;
        ensure!(
            (0.0..1.0).contains(&sparsity),
            "--sparsity {sparsity}: give a share of the weights, at least 0 and below 1"
        );
        ensure!(
            0.0 <= begin && begin <= end && end <= 1.0,
            "--prune-begin {begin}, --prune-end {end}: give shares of the run, the one before the other"
        );
        ensure!(every > 0, "--prune-every 0: give at least 1 step");
        ensure!(
            plan.score != Score::Obs || !calibration.is_empty(),
            "--calibration 0: --score obs needs windows to measure by"
        );
        for matrix in config.prunable() {
            plan.pattern.check(matrix.outputs, matrix.inputs).context(matrix.name)?;
        }
        Ok(Pruner { config: config.clone(), plan, calibration, statistics: Statistics::default() })
    }

    /// What a checkpoint must hold beside the masks.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Takes up where a checkpoint ended.
    pub fn restore(&mut self, statistics: Statistics) {
        self.statistics = statistics;
    }

    /// Whether gradients must be shown to [`Pruner::observe`] before the step after `done` can prune.
    pub fn needs_gradients(&self, done: f64) -> bool {
        let prunes = self.plan.ramp.sparsity(done, self.plan.sparsity) > 0.0;
        self.plan.score == Score::Taylor && prunes && self.statistics.squares.is_empty()
    }

    /// Takes note of the gradients of a step: `gradient` gives that of a matrix by its name, if there is one.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn observe<'a>(
        &mut self,
        variables: &Variables,
        gradient: impl Fn(&str) -> Option<&'a Tensor>,
    ) -> Result<()> {
        if self.plan.score != Score::Taylor {
            return Ok(());
        }
        for matrix in self.config.prunable() {
            let Some(gradient) = gradient(&matrix.name) else { continue };
            let weights = variables.get(&matrix.name)?.detach();
            let products = block_sums(&(weights * gradient.detach())?, &matrix, self.plan.pattern)?;
            let squares = products.sqr()?.flatten_all()?.to_vec1::<f32>()?;
            match self.statistics.squares.get_mut(&matrix.name) {
                Some(sums) => sums.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square),
                None => {
                    self.statistics.squares.insert(matrix.name, squares);
                }
            }
        }
        Ok(())
    }

    /// Prunes if it is time to, before step number `step` (from 0) when the share `done` of the run is behind it.
    /// Returns the masks that hold from now on, which prune all that `masks` prune, and sets the weights: pruned
    /// ones to 0, with [`Score::Obs`] the others to what makes up for them.
    ///
    /// # Errors
    /// A failure of the device, or calibration inputs that say nothing; the message names the matrix.
    pub fn before_step(
        &mut self,
        step: usize,
        done: f64,
        variables: &Variables,
        masks: &Masks,
    ) -> Result<Option<Masks>> {
        let Ramp { end, every, .. } = self.plan.ramp;
        if step.is_multiple_of(every) || done >= end {
            self.prune(self.plan.ramp.sparsity(done, self.plan.sparsity), variables, masks)
        } else {
            Ok(None)
        }
    }

    /// As [`Pruner::before_step`] at the end of a run that was too short to reach the target.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self, variables: &Variables, masks: &Masks) -> Result<Option<Masks>> {
        self.prune(self.plan.sparsity, variables, masks)
    }

    /// Prunes to `sparsity` if that is more than `masks` do.
    fn prune(&mut self, sparsity: f64, variables: &Variables, masks: &Masks) -> Result<Option<Masks>> {
        let matrices = self.config.prunable();
        let blocks: usize = matrices.iter().map(|m| m.outputs * m.inputs / BLOCK).sum();
        let pruned: usize = masks.values().map(|mask| zeros(mask)).sum::<usize>() / BLOCK;
        let target = score::counts(&blocks_of(&matrices), Scope::Matrix, sparsity);
        let asked = match self.plan.scope {
            Scope::Matrix => target.iter().sum(),
            Scope::Global => (blocks as f64 * sparsity).round() as usize,
        };
        if asked <= pruned {
            return Ok(None);
        }
        let new = match self.plan.score {
            Score::Obs => self.prune_by_obs(sparsity, &matrices, variables, masks)?,
            Score::Magnitude | Score::Taylor => self.prune_by_score(sparsity, &matrices, variables, masks)?,
        };
        self.statistics = Statistics::default();
        Ok(Some(new))
    }

    fn prune_by_score(
        &self,
        sparsity: f64,
        matrices: &[Matrix],
        variables: &Variables,
        masks: &Masks,
    ) -> Result<Masks> {
        let mut all = Vec::new();
        for matrix in matrices {
            let mut scores = match self.plan.score {
                Score::Taylor => self.statistics.squares.get(&matrix.name).cloned().with_context(|| {
                    format!("{}: no gradient was seen since the last pruning", matrix.name)
                })?,
                _ => score::magnitude(&values(variables, matrix)?, matrix.inputs, self.plan.pattern),
            };
            let kept = kept_blocks(masks, matrix, self.plan.pattern);
            scores.iter_mut().zip(kept).filter(|(_, kept)| !kept).for_each(|(score, _)| *score = PRUNED);
            all.push(scores);
        }
        let counts = score::counts(&all, self.plan.scope, sparsity);
        let mut new = Masks::new();
        for ((matrix, scores), count) in matrices.iter().zip(&all).zip(counts) {
            let count = count.max(scores.iter().filter(|&&score| score == PRUNED).count());
            let mask = score::mask(&score::kept(scores, count), matrix.inputs, self.plan.pattern);
            let mut weights = values(variables, matrix)?;
            weights.iter_mut().zip(&mask).filter(|(_, m)| **m == 0.0).for_each(|(w, _)| *w = 0.0);
            set(variables, matrix, weights)?;
            new.insert(matrix.name.clone(), mask);
        }
        Ok(new)
    }

    /// Layer after layer, so that each one's inputs come from layers that are pruned already.
    fn prune_by_obs(
        &self,
        sparsity: f64,
        matrices: &[Matrix],
        variables: &Variables,
        masks: &Masks,
    ) -> Result<Masks> {
        let counts = self.obs_counts(sparsity, matrices, variables, masks)?;
        let mut new = Masks::new();
        self.visit(variables, |matrix, problem| {
            let before = kept_blocks(masks, matrix, self.plan.pattern);
            let count = counts.get(&matrix.name).copied().unwrap_or(0);
            let (kept, weights) = problem.prune(before, count);
            new.insert(matrix.name.clone(), score::mask(&kept, matrix.inputs, self.plan.pattern));
            set(variables, matrix, weights)
        })?;
        Ok(new)
    }

    /// How many blocks of each matrix go. Over all matrices together a block's cost counts as a share of what its
    /// matrix puts out.
    fn obs_counts(
        &self,
        sparsity: f64,
        matrices: &[Matrix],
        variables: &Variables,
        masks: &Masks,
    ) -> Result<BTreeMap<String, usize>> {
        let mut all = blocks_of(matrices);
        if self.plan.scope == Scope::Global {
            let mut scores = BTreeMap::new();
            self.visit(variables, |matrix, problem| {
                let energy = problem.energy().max(f64::MIN_POSITIVE);
                let mut costs = problem.costs(&kept_blocks(masks, matrix, self.plan.pattern));
                costs.iter_mut().for_each(|cost| *cost = (f64::from(*cost) / energy) as f32);
                scores.insert(matrix.name.clone(), costs);
                Ok(())
            })?;
            all = matrices.iter().filter_map(|matrix| scores.remove(&matrix.name)).collect();
        }
        let counts = score::counts(&all, self.plan.scope, sparsity);
        Ok(matrices.iter().map(|matrix| matrix.name.clone()).zip(counts).collect())
    }

    /// Calls `f` with every matrix and its inputs' moments, in the order in which the network uses them.
    fn visit(
        &self,
        variables: &Variables,
        mut f: impl FnMut(&Matrix, &Problem<'_>) -> Result<()>,
    ) -> Result<()> {
        // Pruned weights are 0 themselves, so no masks are needed here.
        let model = BertForQuestionAnswering::new(&self.config, variables.builder())?;
        let matrices: BTreeMap<String, Matrix> =
            self.config.prunable().into_iter().map(|matrix| (matrix.name.clone(), matrix)).collect();
        model.visit_inputs(&self.calibration, |names, inputs| {
            // All matrices of these names read the same inputs.
            let columns = inputs.first().context("no calibration inputs")?.dim(D::Minus1)?;
            let inputs = Inputs::new(columns, moments(inputs, &self.calibration)?)
                .with_context(|| names.join(", "))?;
            for name in names {
                let matrix = matrices.get(name).with_context(|| format!("{name} is no matrix"))?;
                let weights = values(variables, matrix)?;
                f(matrix, &Problem::new(&weights, self.plan.pattern, &inputs))
                    .with_context(|| name.clone())?;
            }
            Ok(())
        })
    }
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

/// Σ x·xᵀ over the tokens of all batches, padding left out.
fn moments(inputs: &[Tensor], batches: &[Input]) -> Result<Vec<f64>> {
    let mut sum: Vec<f64> = Vec::new();
    for (x, batch) in inputs.iter().zip(batches) {
        let columns = x.dim(D::Minus1)?;
        let x = x.broadcast_mul(&batch.attention_mask.unsqueeze(2)?)?.reshape(((), columns))?;
        let part = x.t()?.matmul(&x)?.flatten_all()?.to_vec1::<f32>()?;
        sum.resize(part.len(), 0.0);
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += f64::from(part));
    }
    Ok(sum)
}

/// The sum over each block of a `[outputs, inputs]` tensor, in the order of the blocks.
fn block_sums(x: &Tensor, matrix: &Matrix, pattern: Pattern) -> Result<Tensor> {
    let (outputs, inputs) = (matrix.outputs, matrix.inputs);
    Ok(match pattern {
        Pattern::OutputBlock => x.reshape((outputs / BLOCK, BLOCK, inputs))?.sum(1)?,
        Pattern::InputBlock => x.reshape((outputs, inputs / BLOCK, BLOCK))?.sum(2)?,
    })
}

/// A score of 0 for each block of each matrix.
fn blocks_of(matrices: &[Matrix]) -> Vec<Vec<f32>> {
    matrices.iter().map(|matrix| vec![0.0; matrix.outputs * matrix.inputs / BLOCK]).collect()
}

fn values(variables: &Variables, matrix: &Matrix) -> Result<Vec<f32>> {
    Ok(variables.get(&matrix.name)?.flatten_all()?.to_vec1()?)
}

fn set(variables: &Variables, matrix: &Matrix, weights: Vec<f32>) -> Result<()> {
    let weights = Tensor::from_vec(weights, (matrix.outputs, matrix.inputs), &Device::Cpu)?;
    variables.set(&matrix.name, &weights.to_device(variables.get(&matrix.name)?.device())?)
}

/// Which blocks of a matrix `masks` keep.
fn kept_blocks(masks: &Masks, matrix: &Matrix, pattern: Pattern) -> Vec<bool> {
    let len = matrix.outputs * matrix.inputs;
    match masks.get(&matrix.name) {
        Some(mask) => score::by_block(len, matrix.inputs, pattern, |places| mask[places[0]] != 0.0),
        None => vec![true; len / BLOCK],
    }
}

fn zeros(mask: &[f32]) -> usize {
    mask.iter().filter(|&&m| m == 0.0).count()
}
