//! The network that is trained: its variables, and the masks and smoothing factors that change what it computes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::calibration;
use crate::checkpoint::{self, Parameters};
use crate::config::Config;
use crate::model::{BertForQuestionAnswering, Input, Variables};
use crate::prune::Masks;
use crate::quantization::Smoothing;

/// A network with trained variables.
pub(super) struct Network {
    pub(super) config: Config,
    pub(super) variables: Variables,
    pub(super) model: BertForQuestionAnswering,
    pub(super) masks: Masks,
    /// The share of the encoder's weights that the masks prune.
    pub(super) sparsity: f64,
    /// What outlier features are divided by; only in quantization-aware training.
    smoothing: Option<Smoothing>,
}

impl Network {
    /// A network in f32 that nothing prunes. All variables are trained but, with `freeze_embeddings`, the embeddings.
    pub(super) fn new(
        config: Config,
        parameters: &Parameters,
        freeze_embeddings: bool,
        device: &Device,
    ) -> Result<Self> {
        let variables = Variables::trained(&config, parameters, device, |name| {
            !(freeze_embeddings && name.starts_with("bert.embeddings."))
        })?;
        let model = BertForQuestionAnswering::new(&config, variables.builder())?;
        Ok(Network { config, variables, model, masks: Masks::new(), sparsity: 0.0, smoothing: None })
    }

    /// Prunes what these masks prune from now on: the weights become 0 and stay so. Returns the masks as tensors.
    pub(super) fn set_masks(&mut self, masks: Masks) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (name, mask) in &masks {
            let weight = self.variables.get(name)?;
            let mask = Tensor::from_slice(mask, weight.shape(), weight.device())?;
            self.variables.set(name, &(weight * &mask)?)?;
            tensors.insert(name.clone(), mask);
        }
        self.model.set_masks(&tensors);
        let zeros = masks.values().flatten().filter(|&&m| m == 0.0).count();
        let weights: usize = self.config.prunable().iter().map(|m| m.outputs * m.inputs).sum();
        self.sparsity = zeros as f64 / weights.max(1) as f64;
        self.masks = masks;
        Ok(tensors)
    }

    /// Measures the activations of `batches`, for [`Self::with_precision`] and before it.
    pub(super) fn measure_smoothing(&self, batches: &[Input]) -> Result<Smoothing> {
        calibration::measure_smoothing(&self.model, &self.variables, batches)
    }

    /// The same network, computing in `dtype`, and on the grids of the packed model if `quantized`, with outliers
    /// divided as the packed model will divide them.
    pub(super) fn with_precision(
        self,
        dtype: DType,
        quantized: bool,
        smoothing: Option<Smoothing>,
    ) -> Result<Self> {
        let mut model = self.model.with_dtype(dtype)?.with_quantization(quantized);
        if let Some(smoothing) = &smoothing {
            model = model.with_smoothing(smoothing)?;
        }
        Ok(Network { model, smoothing, ..self })
    }

    /// Writes a model directory, its weights last. The other files come from the directory `base`.
    pub(super) fn save(&self, directory: &Path, base: &Path, parameters: &Parameters) -> Result<()> {
        match &self.smoothing {
            Some(smoothing) => smoothing.save(directory)?,
            None => Smoothing::remove(directory)?,
        }
        checkpoint::save(directory, base, &self.config, parameters)
    }
}
