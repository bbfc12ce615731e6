//! A run under way: the loop over the steps.

mod begin;
mod install;
mod keep;
mod step;

use std::time::Instant;

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};

pub use self::begin::finetune;
use self::keep::Evaluated;
use self::step::Step;
use super::measure::Measure;
use super::metrics::{Metrics, Record};
use super::order::shuffled;
use super::progress::{Progress, Standing};
use super::state::State;
use super::store::Store;
use super::{Alone, Exchange, Interrupt, Options, Report};
use crate::config::Config;
use crate::features::Feature;
use crate::model::{BertForQuestionAnswering, Variables};
use crate::prune::{Masks, Pruner, assert_pruned};
use crate::quantization::Smoothing;
use crate::train::optimizer::AdamW;

/// Where a run happens.
pub struct Runtime {
    /// Where tensors live.
    pub device: Device,
    /// Asks the run to save itself and stop.
    pub interrupt: Interrupt,
    /// The other workers.
    pub exchange: Box<dyn Exchange>,
    /// A limit on memory below the device's own, for one that is shared: whether the network may read so many windows
    /// at once. Asked before every batch; one that is refused has run out of memory, see [`Options::shrink_batch`].
    pub fits: Option<Fits>,
}

/// See [`Runtime::fits`].
pub type Fits = Box<dyn Fn(usize) -> bool>;

impl Runtime {
    /// One worker that nothing interrupts and nothing but the device limits.
    pub fn on(device: &Device) -> Self {
        let (interrupt, exchange) = (Interrupt::default(), Box::new(Alone));
        Runtime { device: device.clone(), interrupt, exchange, fits: None }
    }
}

/// See [`finetune`].
struct Session<'a> {
    options: &'a Options,
    runtime: Runtime,
    config: Config,
    variables: Variables,
    masks: Masks,
    /// Only with `--qat`.
    smoothing: Option<Smoothing>,
    /// Nothing where the masks stay as they are.
    pruner: Option<Pruner>,
    /// The share of the encoder's weights that the masks prune.
    sparsity: f64,
    model: BertForQuestionAnswering,
    teacher: Option<BertForQuestionAnswering>,
    optimizer: AdamW,
    data: Vec<Feature>,
    measure: Option<Measure>,
    /// The newest evaluation.
    evaluated: Option<Evaluated>,
    pad: u32,
    state: State,
    store: Store,
    /// Nothing for a worker that writes no files.
    metrics: Option<Metrics>,
    progress: Progress,
    start: Instant,
    /// Tokens and seconds when this process began.
    resumed: (usize, f64),
    /// The step of the newest checkpoint, and when it was saved.
    saved: (usize, Instant),
}

impl Session<'_> {
    fn run(mut self) -> Result<Report> {
        let per_epoch = self.data.len().div_ceil(self.step_windows());
        let total = per_epoch * self.options.epochs;
        self.progress.line(&format!(
            "{} windows, {} tokens; {} steps; {:.1} % of the encoder pruned",
            self.data.len(),
            self.data.iter().map(|f| f.input_ids.len()).sum::<usize>(),
            total,
            100.0 * self.sparsity
        ));
        let mut order = (usize::MAX, Vec::new());
        let mut interrupted = None;
        loop {
            interrupted = interrupted.or(self.agree()?);
            let done = self.done(total);
            if interrupted.is_some() || done >= 1.0 {
                break;
            }
            let (epoch, place) = (self.state.step / per_epoch, self.state.step % per_epoch);
            if order.0 != epoch {
                let windows = self.step_windows();
                order = (epoch, shuffled(&self.data, windows, self.options.seed, epoch));
            }
            let rate = self.options.schedule.rate(done);
            self.prune(Some((done, &order.1[place])))?;
            let step = self.step(&order.1[place], rate)?;
            self.tell(&step, rate, per_epoch, total)?;
            self.measure_and_save(per_epoch)?;
        }
        if interrupted.is_none() {
            self.prune(None)?;
            self.evaluate()?;
        }
        self.save()?;
        let pruned = assert_pruned(&self.variables.to_parameters()?, &self.masks)?;
        if interrupted.is_none() && self.metrics.is_some() {
            let parameters = self.variables.to_parameters()?;
            self.save_network(&self.options.out, &parameters)?;
            self.report(&parameters)?;
        }
        self.progress.finish();
        Ok(Report {
            steps: self.state.step,
            tokens: self.state.tokens,
            loss: self.state.loss.unwrap_or(0.0),
            pruned,
            interrupted,
            scores: self.evaluated.map(|evaluated| evaluated.scores),
        })
    }

    /// Windows of one step over all workers.
    fn step_windows(&self) -> usize {
        self.options.step_windows().saturating_mul(self.runtime.exchange.workers().max(1))
    }

    /// Takes the time, and returns the signal that asks to stop: the same on all workers.
    fn agree(&mut self) -> Result<Option<usize>> {
        self.state.seconds = self.resumed.1 + self.start.elapsed().as_secs_f64();
        let signal = self.runtime.interrupt.signal();
        let workers = self.runtime.exchange.workers();
        if workers < 2 {
            return Ok(signal);
        }
        let mine = [self.state.seconds, signal.unwrap_or(0) as f64];
        let mut shared = Tensor::new(&mine, &Device::Cpu)?;
        self.runtime.exchange.sum(&mut [&mut shared])?;
        let [seconds, signals] = shared.to_vec1::<f64>()?[..] else {
            bail!("workers exchanged another shape")
        };
        self.state.seconds = seconds / workers as f64;
        // The number itself where one worker was asked; where several were, any of them will do.
        Ok((signals > 0.0).then(|| signal.unwrap_or(signals as usize)))
    }

    /// The share of the run that is done, by steps or by time, whichever is further.
    fn done(&self, total: usize) -> f64 {
        let by_steps = self.state.step as f64 / total.max(1) as f64;
        let by_time =
            self.options.max_time.map_or(0.0, |limit| self.state.seconds / limit.as_secs_f64().max(1e-9));
        by_steps.max(by_time).min(1.0)
    }

    /// Writes and shows what a step did.
    fn tell(&mut self, step: &Step, rate: f64, per_epoch: usize, total: usize) -> Result<()> {
        self.state.seconds = self.resumed.1 + self.start.elapsed().as_secs_f64();
        let elapsed = self.start.elapsed().as_secs_f64();
        let done = self.done(total);
        self.progress.step(&Standing {
            step: self.state.step,
            done,
            left: self.state.seconds * (1.0 - done) / done.max(1e-9),
            loss: self.state.loss.unwrap_or(step.loss),
            rate,
            speed: (self.state.tokens - self.resumed.0) as f64 / elapsed.max(1e-9),
            sparsity: self.sparsity,
        });
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        metrics.add(&Record::Step {
            step: self.state.step,
            epoch: self.state.step as f64 / per_epoch as f64,
            loss: step.loss,
            learning_rate: rate,
            gradient_norm: step.gradient_norm,
            tokens: step.tokens,
            tokens_per_second: step.tokens as f64 / step.seconds.max(1e-9),
            sparsity: self.sparsity,
            seconds: self.state.seconds,
        })
    }
}
