//! A run under way: the loop over the steps, and what happens between them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use blockspan_squad::Scores;
use candle_core::{DType, Device, Tensor};

use super::exchange::Exchange;
use super::measure::Measure;
use super::memory::with_less_memory;
use super::metrics::{self, Metrics, Record};
use super::progress::{Progress, Standing};
use super::state::{Best, State};
use super::store::Store;
use super::{Alone, Interrupt, Options, Report, report, setup, tensors};
use crate::batches::{Batch, shuffled};
use crate::checkpoint::{self, Parameters};
use crate::config::{Config, Matrix};
use crate::features::Feature;
use crate::loss::loss;
use crate::model::{BertForQuestionAnswering, Variables};
use crate::ops::derive_key;
use crate::optimizer::{AdamW, Gradients};
use crate::pattern::Census;
use crate::prune::{self, Masks, Pruner};
use crate::smoothing::{self, Smoothing};
use crate::tokenizer::Tokenizer;

/// Smooths the loss: the weight of the newest step.
const NEWEST: f64 = 0.05;

/// Where a run happens.
pub struct Runtime {
    /// Where tensors live.
    pub device: Device,
    /// Asks the run to save itself and stop.
    pub interrupt: Interrupt,
    /// The other workers.
    pub exchange: Box<dyn Exchange>,
}

impl Runtime {
    /// One worker that nothing interrupts.
    pub fn on(device: &Device) -> Self {
        Runtime { device: device.clone(), interrupt: Interrupt::default(), exchange: Box::new(Alone) }
    }
}

/// Fine-tunes as `options` say and writes a Hugging Face directory, with checkpoints on the way.
///
/// # Errors
/// Anything wrong with the files, named with its place; a loss that is no longer finite; a failure to
/// write. The checkpoints that were saved before stay whole.
pub fn finetune(options: &Options, runtime: Runtime) -> Result<Report> {
    ensure!(options.batch_size > 0, "--batch-size 0: give at least 1");
    ensure!(options.accumulation > 0, "--gradient-accumulation 0: give at least 1");
    ensure!(options.saving.every_steps != Some(0), "--save-every 0: give at least 1");
    ensure!(options.eval_every != Some(0), "--eval-every 0: give at least 1");
    ensure!(
        !(runtime.device.is_cpu() && options.dtype == DType::BF16),
        "--dtype bf16: the CPU backend multiplies no bf16 matrices; leave it out, or give --device cuda"
    );
    let config = Config::read(&options.base)?;
    options.windows.check(&config)?;
    let tokenizer = Tokenizer::read(&options.base)?;
    tokenizer.check(&config).with_context(|| options.base.display().to_string())?;
    let data = setup::training_features(options, &tokenizer)?;
    let measure = options.eval.as_deref().map(|path| Measure::new(path, options, &tokenizer)).transpose()?;
    let store = Store::new(&options.out);
    let mut state = State::new(options.recipe(), &data, options.batch_size);
    let last = store.steps()?.last().copied();
    let (parameters, masks) = match last.filter(|_| options.saving.resume) {
        Some(step) => {
            let saved = State::read(&store.path(step))?;
            saved.check(&state)?;
            state = saved;
            (checkpoint::load(&store.path(step), &config, options.seed)?.0, Masks::new())
        }
        None => {
            if !(options.saving.resume || options.saving.overwrite) {
                store.check_empty()?;
            }
            let (mut parameters, _) = checkpoint::load(&options.base, &config, options.seed)?;
            let masks = setup::first_masks(options, &config, &mut parameters)?;
            (parameters, masks)
        }
    };
    let pruner = setup::pruner(options, &config, &data, tokenizer.pad, &runtime.device)?;
    let teacher = options
        .teacher
        .as_deref()
        .map(|path| setup::load_teacher(path, &config, options, &runtime.device))
        .transpose()?;
    // Nothing is written before this line.
    let silent = runtime.exchange.rank() != 0;
    let progress = Progress::new(silent);
    let metrics = if silent {
        None
    } else {
        checkpoint::check_writable(&options.out)?;
        if state.step == 0 {
            store.clear()?;
        }
        store.prepare()?;
        Some(Metrics::open(&options.out, state.step)?)
    };
    let variables = Variables::trained(&config, &parameters, &runtime.device, |name| {
        !(options.freeze_embeddings && name.starts_with("bert.embeddings."))
    })?;
    drop(parameters);
    let mut session = Session {
        model: BertForQuestionAnswering::new(&config, &variables, &BTreeMap::new())?,
        optimizer: AdamW::new(variables.vars(), options.optimizer)?,
        masks: Masks::new(),
        smoothing: None,
        pruner,
        sparsity: 0.0,
        resumed: (state.tokens, state.seconds),
        saved: (state.step, Instant::now()),
        start: Instant::now(),
        pad: tokenizer.pad,
        options,
        config,
        variables,
        teacher,
        measure,
        evaluated: None,
        data,
        state,
        store,
        metrics,
        progress,
        runtime,
    };
    if session.state.step > 0 {
        let path = session.store.path(session.state.step);
        let (masks, statistics) = tensors::read(&path, &mut session.optimizer, session.state.step)?;
        session.smoothing = Smoothing::read(&path, &session.config)?;
        session.install(masks)?;
        if let Some(pruner) = &mut session.pruner {
            pruner.restore(statistics);
        }
        session.progress.line(&format!("resumed from {}", path.display()));
    } else {
        session.install(masks)?;
        session.smooth()?;
    }
    session.run()
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

/// An evaluation.
struct Evaluated {
    step: usize,
    scores: Scores,
    /// Texts by question id.
    predictions: BTreeMap<String, String>,
}

/// What one step showed.
struct Step {
    loss: f64,
    tokens: usize,
    gradient_norm: f64,
    seconds: f64,
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
        let pruned = prune::assert_pruned(&self.variables.to_parameters()?, &self.masks)?;
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

    /// Writes the page that tells of the run.
    fn report(&self, parameters: &Parameters) -> Result<()> {
        let density = |matrix: Matrix| {
            let weights = parameters.get(&matrix.name).map_or(&[][..], Vec::as_slice);
            1.0 - Census::new(weights, matrix.inputs).sparsity()
        };
        let evaluation = self.measure.as_ref().zip(self.evaluated.as_ref());
        report::write(&report::Run {
            out: &self.options.out,
            config: &self.config,
            recipe: &self.state.recipe,
            records: &metrics::read(&self.options.out)?,
            densities: &self.config.prunable().into_iter().map(density).collect::<Vec<_>>(),
            steps: self.state.step,
            tokens: self.state.tokens,
            seconds: self.state.seconds,
            loss: self.state.loss.unwrap_or(0.0),
            sparsity: self.sparsity,
            evaluation: evaluation.map(|(measure, evaluated)| report::Evaluated {
                dataset: &measure.dataset,
                predictions: &evaluated.predictions,
                scores: evaluated.scores,
            }),
            device: &self.runtime.device,
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

    /// Prunes before a step, given the share of the run that is done and the step's windows, or at the end of the
    /// run, if it is time to.
    fn prune(&mut self, before: Option<(f64, &[usize])>) -> Result<()> {
        let start = Instant::now();
        let Some(mut pruner) = self.pruner.take() else { return Ok(()) };
        let masks = match before {
            Some((done, indices)) => {
                if pruner.needs_gradients(done) {
                    let gradients = self.shared_gradients(indices)?.0;
                    observe(&mut pruner, &self.variables, &gradients)?;
                }
                pruner.before_step(self.state.step, done, &self.variables, &self.masks)?
            }
            None => pruner.finish(&self.variables, &self.masks)?,
        };
        self.pruner = Some(pruner);
        let Some(masks) = masks else { return Ok(()) };
        self.install(masks)?;
        self.progress.line(&format!(
            "step {}: {:.1} % of the encoder pruned, in {:.1} s",
            self.state.step,
            100.0 * self.sparsity,
            start.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// The gradients of the mean loss over the windows of these indices, and that loss: of all workers together.
    fn shared_gradients(&mut self, indices: &[usize]) -> Result<(Gradients, f64)> {
        let (rank, workers) = (self.runtime.exchange.rank(), self.runtime.exchange.workers().max(1));
        let share = indices.len().div_ceil(workers);
        let mine = indices.chunks(share.max(1)).nth(rank).unwrap_or_default();
        let mut batch_size = self.state.batch_size;
        let (mut gradients, loss) = if self.options.shrink_batch {
            with_less_memory(&mut batch_size, |size| self.gradients(mine, indices.len(), size))?
        } else {
            self.gradients(mine, indices.len(), batch_size)?
        };
        if batch_size != self.state.batch_size {
            self.progress.line(&format!(
                "out of memory with {} windows at once: going on with {batch_size}; steps keep their windows",
                self.state.batch_size
            ));
            self.state.batch_size = batch_size;
        }
        let mut loss = Tensor::new(loss, &Device::Cpu)?;
        if workers > 1 {
            let mut all = gradients.all(self.optimizer.vars())?;
            all.push(&mut loss);
            self.runtime.exchange.sum(&mut all)?;
        }
        Ok((gradients, loss.to_scalar::<f64>()?))
    }

    /// One step of the optimizer on the windows of these indices.
    fn step(&mut self, indices: &[usize], rate: f64) -> Result<Step> {
        let start = Instant::now();
        let (gradients, loss) = self.shared_gradients(indices)?;
        let number = self.state.step + 1;
        let stepped = if loss.is_finite() {
            self.optimizer.step(&gradients, rate, self.options.max_grad_norm)
        } else {
            Err(anyhow::anyhow!("the loss is {loss}; lower --lr"))
        };
        let gradient_norm =
            stepped.with_context(|| match self.store.steps().ok().and_then(|s| s.last().copied()) {
                Some(last) => format!("step {number} (the checkpoint of step {last} stays)"),
                None => format!("step {number}"),
            })?;
        if let Some(pruner) = &mut self.pruner {
            observe(pruner, &self.variables, &gradients)?;
        }
        let tokens = indices.iter().map(|&i| self.data[i].input_ids.len()).sum();
        self.state.step = number;
        self.state.tokens += tokens;
        self.state.loss = Some(self.state.loss.map_or(loss, |old| old + NEWEST * (loss - old)));
        Ok(Step { loss, tokens, gradient_norm, seconds: start.elapsed().as_secs_f64() })
    }

    /// The gradients of the mean loss over `of` windows, and that loss, as far as `mine` contribute to them. The
    /// network reads `batch_size` windows at once.
    fn gradients(&self, mine: &[usize], of: usize, batch_size: usize) -> Result<(Gradients, f64)> {
        let mut gradients = Gradients::default();
        let mut total = 0.0;
        let rates = self.options.dropout(&self.config);
        let key = derive_key(self.options.seed, self.state.step as u64);
        let key = derive_key(key, self.runtime.exchange.rank() as u64);
        for (number, indices) in mine.chunks(batch_size.max(1)).enumerate() {
            let batch = Batch::new(&self.data, indices, self.pad, &self.runtime.device)?;
            let output = self.model.forward_training(&batch.input, rates, derive_key(key, number as u64))?;
            let teacher = self.teacher.as_ref().map(|teacher| teacher.forward(&batch.input)).transpose()?;
            let share = indices.len() as f64 / of as f64;
            let loss = (loss(&output, teacher.as_ref(), &batch, self.options.weights)? * share)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            total += value;
            if !value.is_finite() {
                break;
            }
            gradients.add(self.optimizer.vars(), loss.backward()?)?;
        }
        Ok((gradients, total))
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

    /// Evaluates and saves where it is time to.
    fn measure_and_save(&mut self, per_epoch: usize) -> Result<()> {
        let step = self.state.step;
        let is_best = match self.options.eval_every {
            Some(every) if step.is_multiple_of(every) => self.evaluate()?,
            _ => false,
        };
        let due = self.options.saving.every_steps.is_some_and(|every| step.is_multiple_of(every))
            || self.options.saving.every.is_some_and(|every| self.saved.1.elapsed() >= every);
        let epoch_ends = step.is_multiple_of(per_epoch);
        if is_best || due || epoch_ends {
            self.save()?;
        }
        if epoch_ends {
            self.progress.line(&format!("epoch {} done", step / per_epoch));
        }
        Ok(())
    }

    /// Measures the network and returns whether it was never better.
    fn evaluate(&mut self) -> Result<bool> {
        let step = self.state.step;
        let (Some(measure), Some(metrics)) = (&self.measure, &mut self.metrics) else { return Ok(false) };
        if self.evaluated.as_ref().is_some_and(|evaluated| evaluated.step == step) {
            return Ok(false);
        }
        let (scores, predictions) = measure.scores(&self.model, self.pad, &self.runtime.device)?;
        let (exact_match, f1) = (scores.exact_match, scores.f1);
        self.progress.line(&format!("step {step}  EM {exact_match:.2}  F1 {f1:.2}"));
        metrics.add(&Record::Evaluation { step, exact_match, f1, seconds: self.state.seconds })?;
        self.evaluated = Some(Evaluated { step, scores, predictions });
        let is_best = self.state.best.is_none_or(|best| f1 > best.f1);
        if is_best {
            self.state.best = Some(Best { step, exact_match, f1 });
        }
        Ok(is_best)
    }

    /// Writes the checkpoint of this step, unless there is one.
    fn save(&mut self) -> Result<()> {
        let step = self.state.step;
        let Some(metrics) = &mut self.metrics else { return Ok(()) };
        if self.saved.0 == step {
            return Ok(());
        }
        let parameters = self.variables.to_parameters()?;
        for (name, values) in &parameters {
            ensure!(
                values.iter().all(|v| v.is_finite()),
                "step {step}: {name} is no longer finite; lower --lr"
            );
        }
        prune::assert_pruned(&parameters, &self.masks)?;
        metrics.sync()?;
        self.store.write(step, |path| {
            self.save_network(path, &parameters)?;
            tensors::write(path, &self.optimizer, &self.masks, self.pruner.as_ref().map(Pruner::statistics))?;
            self.state.write(path)
        })?;
        self.store.retain(self.options.saving.keep, self.state.best.map(|best| best.step))?;
        self.saved = (step, Instant::now());
        Ok(())
    }

    /// Prunes what these masks prune from now on: weights and their moments become 0 and stay so.
    fn install(&mut self, masks: Masks) -> Result<()> {
        let mut tensors = BTreeMap::new();
        for (name, mask) in &masks {
            let weight = self.variables.get(name)?;
            let mask = Tensor::from_slice(mask, weight.shape(), &self.runtime.device)?;
            self.variables.set(name, &(weight * &mask)?)?;
            self.optimizer.mask(name, &mask)?;
            tensors.insert(name.clone(), mask);
        }
        let zeros = masks.values().flatten().filter(|&&m| m == 0.0).count();
        let weights: usize = self.config.prunable().iter().map(|m| m.outputs * m.inputs).sum();
        self.sparsity = zeros as f64 / weights.max(1) as f64;
        let model = BertForQuestionAnswering::new(&self.config, &self.variables, &tensors)?;
        let model = model.with_dtype(self.options.dtype).with_quantization(self.options.quantized);
        self.model = match &self.smoothing {
            Some(smoothing) => model.with_smoothing(smoothing)?,
            None => model,
        };
        self.masks = masks;
        Ok(())
    }

    /// Quantization-aware: measures the activations before the first step, and divides their outliers from now on as
    /// the packed model will.
    fn smooth(&mut self) -> Result<()> {
        if !self.options.quantized {
            return Ok(());
        }
        let batches = smoothing::batches(&self.data, self.pad, &self.runtime.device)?;
        let plain = BertForQuestionAnswering::new(&self.config, &self.variables, &BTreeMap::new())?;
        self.smoothing = Some(Smoothing::measure(&plain, &self.variables, &batches)?);
        let masks = core::mem::take(&mut self.masks);
        self.install(masks)
    }

    /// Writes a model directory, its weights last.
    fn save_network(&self, directory: &Path, parameters: &Parameters) -> Result<()> {
        match &self.smoothing {
            Some(smoothing) => smoothing.save(directory)?,
            None => Smoothing::remove(directory)?,
        }
        checkpoint::save(directory, &self.options.base, &self.config, parameters)
    }
}

/// Shows a step's gradients to the pruner.
fn observe(pruner: &mut Pruner, variables: &Variables, gradients: &Gradients) -> Result<()> {
    let by_name: BTreeMap<&str, &Tensor> = variables
        .vars()
        .enumerate()
        .filter_map(|(index, (name, _))| Some((name, gradients.get(index)?)))
        .collect();
    pruner.observe(variables, |name| by_name.get(name).copied())
}
