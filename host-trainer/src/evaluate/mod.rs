//! Answers to the questions of a data set, and their EM and F1, with the semantics of `run_qa.py`.

mod outputs;
mod predict;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use blockspan_engine::span::MAX_N_BEST;
use blockspan_squad::{Dataset, Prediction, Report, Scores, twins};
use candle_core::Device;

use crate::checkpoint;
use crate::config::Config;
use crate::features::{Batch, Feature, Labels, WindowOptions, by_length, features};
use crate::model::{BertForQuestionAnswering, Variables};
use crate::tokenizer::Tokenizer;

pub use outputs::{write_outputs, write_predictions};
pub use predict::{predictions, texts};

/// How answers are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluateOptions {
    /// How passages are cut.
    pub windows: WindowOptions,
    /// Windows that the network reads at once.
    pub batch_size: usize,
    /// Starts and ends examined per window.
    pub n_best: usize,
    /// The longest answer, in tokens.
    pub max_answer_len: usize,
    /// The null answer wins where its score is more than this above the best span's; 0 for a data set with unanswerable
    /// questions if nothing is given, and it never wins in others.
    pub null_threshold: Option<f64>,
    /// Asks each question once more where it has no answer ([`blockspan_squad::twins`]), drawn by this seed.
    pub twin_seed: Option<u64>,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        EvaluateOptions {
            windows: WindowOptions::default(),
            batch_size: 16,
            n_best: 20,
            max_answer_len: 30,
            null_threshold: None,
            twin_seed: None,
        }
    }
}

impl EvaluateOptions {
    /// Checks what the types allow but no evaluation can use.
    ///
    /// # Errors
    /// A number out of range, named by its flag.
    pub fn check(&self) -> Result<()> {
        ensure!(self.batch_size > 0, "--batch-size 0: give at least 1");
        ensure!(
            (1..=MAX_N_BEST).contains(&self.n_best),
            "--n-best {}: give a number from 1 to {MAX_N_BEST}",
            self.n_best
        );
        ensure!(!self.null_threshold.is_some_and(f64::is_nan), "--null-threshold NaN: give a number");
        Ok(())
    }

    /// The null threshold, where the null answer is possible.
    pub fn null_threshold_for(&self, dataset: &Dataset) -> Option<f64> {
        self.null_threshold.or(dataset.has_unanswerable().then_some(0.0))
    }
}

/// Scores and answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What was measured.
    pub report: Report,
    /// EM and F1; 0 for a data set without answers.
    pub scores: Scores,
    /// The answer to each question, in the order of the data set.
    pub predicted: Vec<Prediction>,
    /// Windows that were read.
    pub windows: usize,
}

impl Evaluation {
    /// Scores what was predicted.
    pub fn new(
        dataset: &Dataset,
        predicted: Vec<Prediction>,
        windows: usize,
        null_threshold: Option<f64>,
    ) -> Self {
        let report = Report::new(dataset, &predicted, windows, null_threshold.unwrap_or(0.0));
        let scores = blockspan_squad::evaluate(dataset, &texts(&predicted));
        Evaluation { report, scores, predicted, windows }
    }
}

/// The network in a Hugging Face directory, with what it needs to read text.
pub struct Network {
    /// Its shape.
    pub config: Config,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The weights, in f32.
    pub model: BertForQuestionAnswering,
}

impl Network {
    /// Reads a fine-tuned directory.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit each other or the windows, or a failure of the device.
    pub fn load(directory: &Path, windows: WindowOptions, device: &Device) -> Result<Self> {
        let config = Config::read(directory)?;
        windows.check(&config).with_context(|| directory.display().to_string())?;
        let tokenizer = Tokenizer::read(directory)?;
        tokenizer.check(&config).with_context(|| directory.display().to_string())?;
        let parameters = checkpoint::load_fine_tuned(directory, &config)?;
        let variables = Variables::frozen(&config, parameters, device)?;
        let model = BertForQuestionAnswering::new(&config, variables.builder())?;
        Ok(Network { config, tokenizer, model })
    }
}

/// Evaluates the model in a Hugging Face directory.
///
/// A question's answer may be empty only where [`EvaluateOptions::null_threshold_for`] the data set gives a threshold, as with
/// `run_qa.py --version_2_with_negative`.
///
/// # Errors
/// Files that cannot be read or do not fit each other, or a failure of the device.
pub fn evaluate(
    directory: &Path,
    dataset: &Dataset,
    options: EvaluateOptions,
    device: &Device,
) -> Result<Evaluation> {
    options.check()?;
    let Network { tokenizer, model, .. } = Network::load(directory, options.windows, device)?;
    let answer = |dataset: &Dataset| -> Result<(Vec<Feature>, Vec<Logits>)> {
        let windows = features(dataset, &tokenizer, options.windows, Labels::None)?;
        let logits = logits(&model, &windows, options.batch_size, tokenizer.pad, device)?;
        Ok((windows, logits))
    };
    let Some(seed) = options.twin_seed else {
        let (windows, logits) = answer(dataset)?;
        let predicted = predictions(dataset, &windows, &logits, options);
        return Ok(Evaluation::new(dataset, predicted, windows.len(), options.null_threshold));
    };
    dataset.check_labeled()?;
    // The data set's own questions come first.
    let both = twins(dataset, seed);
    let (windows, logits) = answer(&both)?;
    let count = dataset.questions().count();
    let own = windows.iter().take_while(|window| window.question < count).count();
    let predicted = predictions(dataset, &windows[..own], &logits[..own], options);
    let mut evaluation = Evaluation::new(dataset, predicted, own, options.null_threshold);
    let threshold = options.null_threshold.unwrap_or(0.0);
    let options = EvaluateOptions { null_threshold: Some(threshold), ..options };
    evaluation.report =
        evaluation.report.with_twins(&both, &predictions(&both, &windows, &logits, options), threshold);
    Ok(evaluation)
}

/// Start and end logits of a window, one per token.
pub struct Logits {
    /// Of the first token of the answer.
    pub start: Vec<f32>,
    /// Of the last token of the answer.
    pub end: Vec<f32>,
}

/// The logits of each window, in the order of `windows`.
///
/// # Errors
/// A failure of the device.
pub fn logits(
    model: &BertForQuestionAnswering,
    windows: &[Feature],
    batch_size: usize,
    pad: u32,
    device: &Device,
) -> Result<Vec<Logits>> {
    let mut all: Vec<Logits> =
        windows.iter().map(|_| Logits { start: Vec::new(), end: Vec::new() }).collect();
    for indices in by_length(windows, batch_size.max(1)) {
        let batch = Batch::new(windows, &indices, pad, device)?;
        let output = model.forward(&batch.input)?;
        let (starts, ends) = (output.start_logits.to_vec2::<f32>()?, output.end_logits.to_vec2::<f32>()?);
        for ((index, mut start), mut end) in indices.into_iter().zip(starts).zip(ends) {
            let tokens = windows[index].input_ids.len();
            start.truncate(tokens);
            end.truncate(tokens);
            all[index] = Logits { start, end };
        }
    }
    Ok(all)
}
