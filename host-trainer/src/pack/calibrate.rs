//! The ranges of the activations, from a few windows of text.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use blockspan_squad::Dataset;
use candle_core::Device;

use crate::calibration;
use crate::checkpoint;
use crate::config::Config;
use crate::features::{Labels, WindowOptions, features};
use crate::model::{BertForQuestionAnswering, Variables};
use crate::quantization::Smoothing;
use crate::tokenizer::Tokenizer;

/// Fifty questions on passages of the project's own, in SQuAD's shape. Another text changes what `pack` writes.
const OWN_TEXTS: &str = include_str!("calibration.json");

/// Where the texts come from that show how large activations become.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Calibration {
    /// Texts that come with the program. Factors that the model was trained with go before them.
    #[default]
    OwnTexts,
    /// A SQuAD file.
    File(PathBuf),
    /// Nowhere: no feature is smoothed.
    Off,
}

/// What the features of each LayerNorm are divided by in the packed model.
///
/// # Errors
/// A text or a checkpoint that cannot be read, or a failure of the device.
pub fn smoothing(
    directory: &Path,
    config: &Config,
    windows: WindowOptions,
    calibration: &Calibration,
) -> Result<Smoothing> {
    let dataset = match calibration {
        Calibration::Off => return Ok(Smoothing::default()),
        Calibration::File(path) => Dataset::read(path)?,
        Calibration::OwnTexts => match Smoothing::read(directory, config)? {
            Some(trained) => return Ok(trained),
            None => Dataset::parse(OWN_TEXTS.as_bytes(), "the program's own texts")?,
        },
    };
    let tokenizer = Tokenizer::read(directory)?;
    let all = features(&dataset, &tokenizer, windows, Labels::None)?;
    ensure!(!all.is_empty(), "--calibration: the file holds no question");
    let parameters = checkpoint::load_fine_tuned(directory, config)?;
    let variables = Variables::frozen(config, parameters, &Device::Cpu)?;
    let model = BertForQuestionAnswering::new(config, variables.builder())?;
    let batches = calibration::smoothing_batches(&all, tokenizer.pad, &Device::Cpu)?;
    calibration::measure_smoothing(&model, &variables, &batches)
}
