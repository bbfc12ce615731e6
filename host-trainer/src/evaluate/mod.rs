//! Answers to the questions of a data set, and their EM and F1, with the semantics of `run_qa.py`.

mod logits;
mod n_best;
mod options;
mod outputs;
mod predict;

use std::path::Path;

use anyhow::{Context, Result};
use blockspan_squad::{Dataset, Prediction, Report, Scores, twins};
use candle_core::Device;

use crate::checkpoint;
use crate::config::Config;
use crate::features::{Feature, Labels, WindowOptions, features};
use crate::model::{BertForQuestionAnswering, Variables};
use crate::tokenizer::Tokenizer;

pub use logits::{Logits, logits};
pub use options::EvaluateOptions;
pub use outputs::{write_outputs, write_predictions};
pub use predict::{predictions, texts};

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
