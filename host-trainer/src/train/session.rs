//! Fine-tuning from a directory to a directory.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use blockspan_squad::Dataset;
use candle_core::{Device, Tensor};

use super::Progress;
use crate::batches::{Batch, shuffled};
use crate::checkpoint::{self, Parameters};
use crate::config::Config;
use crate::features::{Feature, Labels, WindowOptions, features};
use crate::loss::{Weights, loss};
use crate::model::{BertForQuestionAnswering, Variables};
use crate::optimizer::{AdamW, AdamWOptions};
use crate::pattern::Pattern;
use crate::prune::{self, Masks};
use crate::schedule::Schedule;
use crate::tokenizer::Tokenizer;

/// How the encoder is pruned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pruning {
    /// Once, before the first step, to this share of zeros.
    OneShot {
        /// The blocks.
        pattern: Pattern,
        /// The share of each matrix that becomes 0.
        sparsity: f64,
    },
    /// The zero blocks with which the checkpoint came stay zero.
    Lock {
        /// The blocks that are expected, if any are.
        pattern: Option<Pattern>,
    },
}

/// A run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The Hugging Face directory to begin with.
    pub base: PathBuf,
    /// SQuAD files to train on; one that is named twice counts twice.
    pub train: Vec<PathBuf>,
    /// The directory to write.
    pub out: PathBuf,
    /// A dense model to imitate.
    pub teacher: Option<PathBuf>,
    /// The parts of the loss.
    pub weights: Weights,
    /// Passes over the data.
    pub epochs: usize,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// Windows per step.
    pub batch_size: usize,
    /// How passages are cut.
    pub windows: WindowOptions,
    /// Decides the order of the data and a fresh head.
    pub seed: u64,
    /// How the encoder is pruned; not at all for `None`.
    pub pruning: Option<Pruning>,
    /// Leaves the embeddings as they are: rare words, seen a few times, keep what pre-training gave them.
    pub freeze_embeddings: bool,
    /// The optimizer's constants.
    pub optimizer: AdamWOptions,
    /// The gradient is scaled down to this norm.
    pub max_grad_norm: f64,
    /// Ends the run early; the learning rate then decays by time where time is shorter than the epochs.
    pub max_time: Option<Duration>,
    /// Writes the directory every so often; always at the end of an epoch.
    pub save_every: Option<Duration>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Steps taken.
    pub steps: usize,
    /// Tokens trained on, without padding.
    pub tokens: usize,
    /// The smoothed loss at the end.
    pub loss: f64,
    /// Weights that are exactly 0 because they are pruned.
    pub pruned: usize,
}

/// Fine-tunes as `options` say and writes a Hugging Face directory.
///
/// # Errors
/// Anything wrong with the files, named with its place; a loss that is no longer finite; a failure to
/// write. What was saved before stays.
pub fn finetune(options: &Options, device: &Device) -> Result<Report> {
    ensure!(options.batch_size > 0, "--batch-size 0: give at least 1");
    let config = Config::read(&options.base)?;
    options.windows.check(&config)?;
    let tokenizer = Tokenizer::read(&options.base)?;
    tokenizer.check(&config).with_context(|| options.base.display().to_string())?;
    let data = training_features(options, &tokenizer)?;
    let (mut parameters, fresh_head) = checkpoint::load(&options.base, &config, options.seed)?;
    let masks = pruned(options, &config, &mut parameters)?;
    let teacher = options
        .teacher
        .as_deref()
        .map(|path| load_teacher(path, &config, options.weights, device))
        .transpose()?;
    checkpoint::check_writable(&options.out)?;
    let progress = Progress::new();
    progress.line(&format!(
        "{} windows, {} tokens; {}head; {} pruned weights",
        data.len(),
        data.iter().map(|f| f.input_ids.len()).sum::<usize>(),
        if fresh_head { "fresh " } else { "trained " },
        prune::assert_pruned(&parameters, &masks)?
    ));
    Session::new(options, config, &parameters, masks, teacher, tokenizer.pad, device)?.run(&data, progress)
}

fn training_features(options: &Options, tokenizer: &Tokenizer) -> Result<Vec<Feature>> {
    let mut all = Vec::new();
    for path in &options.train {
        let dataset = Dataset::read(path)?;
        dataset.check_answers()?;
        let windows = features(&dataset, tokenizer, options.windows, Labels::Train);
        all.extend(windows.with_context(|| path.display().to_string())?);
    }
    ensure!(!all.is_empty(), "--train: the files hold no question");
    Ok(all)
}

fn pruned(options: &Options, config: &Config, parameters: &mut Parameters) -> Result<Masks> {
    let masks = match options.pruning {
        None => Masks::new(),
        Some(Pruning::OneShot { pattern, sparsity }) => {
            prune::one_shot(config, parameters, pattern, sparsity)?
        }
        Some(Pruning::Lock { pattern }) => {
            prune::lock(config, parameters, pattern).with_context(|| options.base.display().to_string())?.0
        }
    };
    prune::apply(parameters, &masks);
    Ok(masks)
}

fn load_teacher(
    path: &Path,
    student: &Config,
    weights: Weights,
    device: &Device,
) -> Result<BertForQuestionAnswering> {
    let config = Config::read(path)?;
    ensure!(
        config.vocab_size == student.vocab_size,
        "{}: the teacher's vocabulary of {} differs from the student's {}; both must share one tokenizer",
        path.display(),
        config.vocab_size,
        student.vocab_size
    );
    let shape = |config: &Config| (config.num_hidden_layers, config.hidden_size);
    ensure!(
        weights.hidden == 0.0 || shape(&config) == shape(student),
        "{}: the teacher's layers and hidden size {:?} differ from the student's {:?}; leave out \
         --hidden-weight",
        path.display(),
        shape(&config),
        shape(student)
    );
    let (parameters, fresh_head) = checkpoint::load(path, &config, 0)?;
    ensure!(!fresh_head, "{}: the teacher has no qa_outputs; give a fine-tuned model", path.display());
    let variables = Variables::frozen(&config, &parameters, device)?;
    BertForQuestionAnswering::new(&config, &variables, &BTreeMap::new())
}

/// A run under way.
struct Session<'a> {
    options: &'a Options,
    config: Config,
    variables: Variables,
    masks: Masks,
    model: BertForQuestionAnswering,
    teacher: Option<BertForQuestionAnswering>,
    optimizer: AdamW,
    pad: u32,
    device: &'a Device,
    start: Instant,
    saved: Instant,
}

impl<'a> Session<'a> {
    fn new(
        options: &'a Options,
        config: Config,
        parameters: &Parameters,
        masks: Masks,
        teacher: Option<BertForQuestionAnswering>,
        pad: u32,
        device: &'a Device,
    ) -> Result<Self> {
        let variables = Variables::trained(&config, parameters, device, |name| {
            !(options.freeze_embeddings && name.starts_with("bert.embeddings."))
        })?;
        let mut mask_tensors = BTreeMap::new();
        for (name, mask) in &masks {
            let shape = variables.get(name)?.shape();
            mask_tensors.insert(name.clone(), Tensor::from_slice(mask, shape, device)?);
        }
        Ok(Session {
            model: BertForQuestionAnswering::new(&config, &variables, &mask_tensors)?,
            optimizer: AdamW::new(variables.vars(), options.optimizer)?,
            options,
            config,
            variables,
            masks,
            teacher,
            pad,
            device,
            start: Instant::now(),
            saved: Instant::now(),
        })
    }

    fn run(mut self, data: &[Feature], mut progress: Progress) -> Result<Report> {
        let per_epoch = data.len().div_ceil(self.options.batch_size);
        let total = per_epoch * self.options.epochs;
        let mut report = Report { steps: 0, tokens: 0, loss: 0.0, pruned: 0 };
        'epochs: for epoch in 0..self.options.epochs {
            for indices in shuffled(data, self.options.batch_size, self.options.seed, epoch) {
                let done = self.progress(report.steps, total);
                if done >= 1.0 {
                    break 'epochs;
                }
                let batch = Batch::new(data, &indices, self.pad, self.device)?;
                let rate = self.options.schedule.rate(done);
                let value = self.step(&batch, rate)?;
                ensure!(
                    value.is_finite(),
                    "step {}: the loss is {value}; lower --lr (what was saved before stays)",
                    report.steps
                );
                report.steps += 1;
                report.tokens += batch.tokens;
                progress.step(report.steps, self.progress(report.steps, total), value, batch.tokens, rate);
                if self.options.save_every.is_some_and(|every| self.saved.elapsed() >= every) {
                    report.pruned = self.save()?;
                }
            }
            report.pruned = self.save()?;
            progress.line(&format!("epoch {} done, {} pruned weights are 0", epoch + 1, report.pruned));
        }
        report.pruned = self.save()?;
        report.loss = progress.loss().unwrap_or(0.0);
        progress.finish();
        Ok(report)
    }

    /// The share of the run that is done, by steps or by time, whichever is further.
    fn progress(&self, steps: usize, total: usize) -> f64 {
        let by_steps = steps as f64 / total.max(1) as f64;
        let by_time = self
            .options
            .max_time
            .map_or(0.0, |limit| self.start.elapsed().as_secs_f64() / limit.as_secs_f64().max(1e-9));
        by_steps.max(by_time).min(1.0)
    }

    fn step(&mut self, batch: &Batch, rate: f64) -> Result<f64> {
        let output = self.model.forward(&batch.input)?;
        let teacher = self.teacher.as_ref().map(|teacher| teacher.forward(&batch.input)).transpose()?;
        let loss = loss(&output, teacher.as_ref(), batch, self.options.weights)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if value.is_finite() {
            let gradients = loss.backward()?;
            self.optimizer.step(&gradients, rate, self.options.max_grad_norm)?;
        }
        Ok(value)
    }

    /// Writes the directory and returns the number of pruned weights, each checked to be exactly 0.
    fn save(&mut self) -> Result<usize> {
        let parameters = self.variables.to_parameters()?;
        let count = prune::assert_pruned(&parameters, &self.masks)?;
        checkpoint::save(&self.options.out, &self.options.base, &self.config, &parameters)?;
        self.saved = Instant::now();
        Ok(count)
    }
}
