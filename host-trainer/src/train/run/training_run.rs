//! The loop over the steps.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use blockspan_engine::xxh64;
use candle_core::{Device, Tensor};

use super::checkpoints::Checkpoints;
use super::log::{RunLog, StepResult};
use super::runtime::Runtime;
use super::summary::write_report;
use crate::card::Card;
use crate::features::{Batch, Feature};
use crate::model::DropoutKey;
use crate::ops::derive_key;
use crate::train::evaluator::Evaluator;
use crate::train::learner::Learner;
use crate::train::memory::with_less_memory;
use crate::train::metrics::smoothed;
use crate::train::optimizer::Gradients;
use crate::train::options::{FinetuneOptions, FinetuneReport};
use crate::train::order::shuffled;
use crate::train::state::{Best, State};
use crate::train::unanswerable::Unanswerable;

/// The windows to train on.
pub(super) struct TrainingData {
    /// Those of the current epoch.
    pub(super) features: Vec<Feature>,
    /// Replaces some of them in each epoch.
    pub(super) unanswerable: Option<Unanswerable>,
    /// The id of the padding token.
    pub(super) pad: u32,
}

impl TrainingData {
    /// Whether a window is one that was drawn for this epoch, in place of the training data's own.
    fn is_drawn(&self, window: usize) -> bool {
        self.unanswerable.as_ref().is_some_and(|unanswerable| unanswerable.has_replaced(window))
    }
}

/// A run: the learner, what it learns from, and the bookkeeping.
pub(super) struct TrainingRun<'a> {
    pub(super) options: &'a FinetuneOptions,
    pub(super) runtime: Runtime,
    pub(super) data: TrainingData,
    pub(super) learner: Learner,
    pub(super) evaluator: Option<Evaluator>,
    /// What is known of the model before it is evaluated.
    pub(super) card: Card,
    pub(super) state: State,
    pub(super) checkpoints: Checkpoints,
    pub(super) log: RunLog,
    /// What the last exchange of gradients took, if there was any.
    pub(super) exchange_seconds: Option<f64>,
}

impl TrainingRun<'_> {
    /// Trains to the end, or until a signal asks to stop.
    pub(super) fn run(mut self) -> Result<FinetuneReport> {
        let features = &self.data.features;
        let windows = self.runtime.step_windows(self.options);
        let per_epoch = features.len().div_ceil(windows);
        let total = self.options.steps(per_epoch);
        self.log.line(&format!(
            "{} windows, {} tokens; {} steps; {:.1} % of the encoder pruned",
            features.len(),
            features.iter().map(|f| f.input_ids.len()).sum::<usize>(),
            total,
            100.0 * self.learner.sparsity()
        ));
        let mut order = (usize::MAX, Vec::new());
        let mut interrupted = None;
        loop {
            let (seconds, signal) = self.runtime.sync(self.log.seconds())?;
            self.state.seconds = seconds;
            interrupted = interrupted.or(signal);
            let done = self.done(total);
            if interrupted.is_some() || done >= 1.0 {
                break;
            }
            let (epoch, place) = (self.state.step / per_epoch, self.state.step % per_epoch);
            if order.0 != epoch {
                if let Some(unanswerable) = &mut self.data.unanswerable {
                    unanswerable.draw(&mut self.data.features, epoch);
                }
                order = (epoch, shuffled(&self.data.features, windows, self.options.seed, epoch));
            }
            let indices = &order.1[place];
            self.prune(Some((done, indices)))?;
            let rate = self.options.schedule.rate(done, self.done_next(total));
            let result = self.step(indices, rate)?;
            self.state.seconds = self.log.seconds();
            let epochs = self.state.step as f64 / per_epoch as f64;
            self.log.step(&self.state, &result, epochs, self.done(total))?;
            self.evaluate_and_save(per_epoch)?;
        }
        self.finish(interrupted)
    }

    /// Prunes, evaluates and saves what an interrupted run leaves to the one that resumes it.
    fn finish(mut self, interrupted: Option<usize>) -> Result<FinetuneReport> {
        if interrupted.is_none() {
            self.prune(None)?;
            self.check_agreement()?;
            self.evaluate()?;
        }
        self.save()?;
        let parameters = self.learner.parameters()?;
        let pruned = self.learner.assert_pruned(&parameters)?;
        if interrupted.is_none() && self.log.writes_files() {
            self.card()?.write(&self.options.out)?;
            self.learner.save(&self.options.out, &self.options.base, &parameters)?;
            let (evaluator, device) = (self.evaluator.as_ref(), &self.runtime.device);
            write_report(self.options, &self.state, &self.learner, &parameters, evaluator, device)?;
        }
        self.log.finish();
        Ok(FinetuneReport {
            steps: self.state.step,
            tokens: self.state.tokens,
            loss: self.state.loss.unwrap_or(0.0),
            pruned,
            interrupted,
            scores: self.evaluator.and_then(|evaluator| Some(evaluator.newest()?.scores)),
        })
    }

    /// The share of the run that is done, by steps or by time, whichever is further.
    fn done(&self, total: usize) -> f64 {
        self.share(total, self.state.step, self.state.seconds)
    }

    /// The share that will be done after the next step, if that takes as long as those before.
    fn done_next(&self, total: usize) -> f64 {
        let step = self.state.step;
        let seconds = self.state.seconds * (step + 1) as f64 / step.max(1) as f64;
        self.share(total, step + 1, seconds)
    }

    fn share(&self, total: usize, steps: usize, seconds: f64) -> f64 {
        let by_steps = steps as f64 / total.max(1) as f64;
        let by_time = self.options.max_time.map_or(0.0, |limit| seconds / limit.as_secs_f64().max(1e-9));
        by_steps.max(by_time).min(1.0)
    }

    /// Prunes before a step, given the share of the run that is done and the step's windows, or at the end of the
    /// run, if it is time to.
    fn prune(&mut self, before: Option<(f64, &[usize])>) -> Result<()> {
        let start = Instant::now();
        let pruned = match before {
            Some((done, indices)) => {
                let needed = self.learner.pruning_needs_gradients(done);
                let gradients = needed.then(|| self.gradients(indices)).transpose()?;
                let gradients = gradients.as_ref().map(|(gradients, _)| gradients);
                self.learner.prune_before_step(self.state.step, done, gradients)?
            }
            None => self.learner.finish_pruning()?,
        };
        if pruned {
            self.log.line(&format!(
                "step {}: {:.1} % of the encoder pruned, in {:.1} s",
                self.state.step,
                100.0 * self.learner.sparsity(),
                start.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    /// One step of the optimizer on the windows of these indices.
    fn step(&mut self, indices: &[usize], learning_rate: f64) -> Result<StepResult> {
        let start = Instant::now();
        let (gradients, loss) = self.gradients(indices)?;
        let step = self.state.step + 1;
        let gradient_norm = self.learner.step(&gradients, loss, learning_rate).with_context(|| match self
            .checkpoints
            .last_step()
        {
            Some(last) => format!("step {step} (the checkpoint of step {last} stays)"),
            None => format!("step {step}"),
        })?;
        let tokens = indices.iter().map(|&i| self.data.features[i].input_ids.len()).sum();
        self.state.step = step;
        self.state.tokens += tokens;
        self.state.loss = Some(smoothed(self.state.loss, loss, step));
        let (seconds, sparsity) = (start.elapsed().as_secs_f64(), self.learner.sparsity());
        let exchange_seconds = self.exchange_seconds;
        Ok(StepResult { loss, tokens, learning_rate, gradient_norm, seconds, exchange_seconds, sparsity })
    }

    /// The gradients of the mean loss over the windows of these indices, and that loss: of all workers together.
    fn gradients(&mut self, indices: &[usize]) -> Result<(Gradients, f64)> {
        let (first, mine) = self.runtime.share(indices);
        let mut batch_size = self.state.batch_size;
        let (mut gradients, loss) = with_less_memory(&mut batch_size, self.options.shrink_batch, |size| {
            self.own_gradients(mine, first, indices.len(), size)
        })?;
        if batch_size != self.state.batch_size {
            self.log.line(&format!(
                "out of memory with {} windows at once: going on with {batch_size}; steps keep their windows",
                self.state.batch_size
            ));
            self.state.batch_size = batch_size;
        }
        let mut loss = Tensor::new(loss, &Device::Cpu)?;
        if self.runtime.workers() > 1 {
            let mut all = self.learner.all_gradients(&mut gradients)?;
            all.push(&mut loss);
            let start = Instant::now();
            self.runtime.exchange.all_reduce_sum(&mut all)?;
            self.exchange_seconds = Some(start.elapsed().as_secs_f64());
        }
        Ok((gradients, loss.to_scalar::<f64>()?))
    }

    /// The gradients of the mean loss over `of` windows, and that loss, as far as `mine` contribute to them, the first of
    /// which is number `first` of the step. The network reads `batch_size` windows at once.
    fn own_gradients(
        &self,
        mine: &[usize],
        first: usize,
        of: usize,
        batch_size: usize,
    ) -> Result<(Gradients, f64)> {
        let mut gradients = Gradients::default();
        let mut total = 0.0;
        // What is dropped of a window follows from its number in the step, whoever reads it in whatever batch.
        let mut key = DropoutKey { key: derive_key(self.options.seed, self.state.step as u64), first };
        for indices in mine.chunks(batch_size.max(1)) {
            if let Some(fits) = &self.runtime.fits {
                ensure!(fits(indices.len()), "out of memory: {} windows are over the limit", indices.len());
            }
            let batch = Batch::new(&self.data.features, indices, self.data.pad, &self.runtime.device)?;
            let own = |&window: &usize| Some(window).filter(|&window| !self.data.is_drawn(window));
            let windows: Vec<Option<usize>> = indices.iter().map(own).collect();
            let share = indices.len() as f64 / of as f64;
            let loss = self.learner.add_gradients(&batch, &windows, share, key, &mut gradients)?;
            key.first += indices.len();
            total += loss;
            if !loss.is_finite() {
                break;
            }
        }
        Ok((gradients, total))
    }

    /// Evaluates and saves where it is time to.
    fn evaluate_and_save(&mut self, per_epoch: usize) -> Result<()> {
        let step = self.state.step;
        let is_best = match self.options.eval_every {
            Some(every) if step.is_multiple_of(every) => self.evaluate()?,
            _ => false,
        };
        let epoch_ends = step.is_multiple_of(per_epoch);
        if epoch_ends || self.checkpoints.is_due_by_steps(step) {
            self.check_agreement()?;
        }
        if is_best || epoch_ends || self.checkpoints.is_due(step) {
            self.save()?;
        }
        if epoch_ends {
            self.log.line(&format!("epoch {} done", step / per_epoch));
        }
        Ok(())
    }

    /// Evaluates the network and returns whether it was never better.
    fn evaluate(&mut self) -> Result<bool> {
        let step = self.state.step;
        let Some(evaluator) = self.evaluator.as_mut().filter(|_| self.log.writes_files()) else {
            return Ok(false);
        };
        if evaluator.newest().is_some_and(|newest| newest.step == step) {
            return Ok(false);
        }
        let scores = evaluator.evaluate(self.learner.model(), step, self.data.pad, &self.runtime.device)?;
        self.log.evaluation(&self.state, scores)?;
        let (exact_match, f1) = (scores.exact_match, scores.f1);
        let is_best = self.state.best.is_none_or(|best| f1 > best.f1);
        if is_best {
            self.state.best = Some(Best { step, exact_match, f1 });
        }
        Ok(is_best)
    }

    /// Writes the checkpoint of this step, unless there is one.
    fn save(&mut self) -> Result<()> {
        let step = self.state.step;
        if !self.log.writes_files() || self.checkpoints.holds(step) {
            return Ok(());
        }
        let parameters = self.learner.parameters()?;
        for (name, values) in &parameters {
            ensure!(
                values.iter().all(|v| v.is_finite()),
                "step {step}: {name} is no longer finite; lower --lr"
            );
        }
        self.learner.assert_pruned(&parameters)?;
        self.log.sync()?;
        let card = self.card()?;
        self.checkpoints.save(step, self.state.best.map(|best| best.step), |path| {
            card.write(path)?;
            self.learner.save(path, &self.options.base, &parameters)?;
            self.learner.save_optimizer(path)?;
            self.state.write(path)
        })
    }

    /// Checks that all workers have the same weights, which they never exchange.
    fn check_agreement(&mut self) -> Result<()> {
        if self.runtime.workers() > 1 {
            let step = self.state.step;
            let mut hashes = Vec::new();
            for values in self.learner.parameters()?.values() {
                hashes.extend(xxh64(bytemuck::cast_slice(values)).to_le_bytes());
            }
            ensure!(
                self.runtime.agree(xxh64(&hashes))?,
                "step {step}: the workers' weights are not the same any more; start them on machines of one kind, with \
                 as many threads each (RAYON_NUM_THREADS), and --resume from the last checkpoint"
            );
        }
        Ok(())
    }

    /// The card of the network as it is now.
    fn card(&self) -> Result<Card> {
        let mut card = self.card.clone();
        if let Some(evaluator) = &self.evaluator {
            evaluator.describe(self.state.step, &mut card)?;
        }
        Ok(card)
    }
}
