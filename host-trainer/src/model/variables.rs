//! The parameters of a network as tensors.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;

use crate::checkpoint::Parameters;
use crate::config::Config;

/// The parameters of a network on a device, by Hugging Face name.
pub struct Variables {
    tensors: BTreeMap<String, Tensor>,
    /// Ordered, unlike a [`candle_nn::VarMap`]: sums over all of them, as the gradient's norm, must not change.
    trained: BTreeMap<String, Var>,
    device: Device,
}

impl Variables {
    /// Parameters that only answer: no gradient is recorded for them.
    ///
    /// # Errors
    /// A parameter that is missing or of the wrong length, or a failure of the device.
    pub fn frozen(config: &Config, mut parameters: Parameters, device: &Device) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in config.parameters() {
            let values = parameters.remove(&name).with_context(|| format!("{name} is missing"))?;
            tensors.insert(name, Tensor::from_vec(values, shape, device)?);
        }
        Ok(Variables { tensors, trained: BTreeMap::new(), device: device.clone() })
    }

    /// Parameters of which those that `train` picks by name are trained.
    ///
    /// # Errors
    /// As for [`Variables::frozen`].
    pub fn trained(
        config: &Config,
        parameters: &Parameters,
        device: &Device,
        train: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut variables = Self::frozen(config, parameters.clone(), device)?;
        for (name, tensor) in variables.tensors.iter_mut().filter(|(name, _)| train(name)) {
            let var = Var::from_tensor(tensor)?;
            *tensor = var.as_tensor().clone();
            variables.trained.insert(name.clone(), var);
        }
        Ok(variables)
    }

    /// What builds a network over these parameters, by their names. Unlike that of a [`candle_nn::VarMap`], it makes
    /// no variable that is missing.
    pub fn builder(&self) -> VarBuilder<'static> {
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone()));
        VarBuilder::from_tensors(tensors.collect(), DType::F32, &self.device)
    }

    /// The tensor of a parameter.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).with_context(|| format!("{name} is missing"))
    }

    /// Gives a parameter new values, which every network over these variables sees.
    ///
    /// # Errors
    /// A parameter that is not trained, or values of another shape.
    pub fn set(&self, name: &str, values: &Tensor) -> Result<()> {
        let var = self.trained.get(name).with_context(|| format!("{name} is not trained"))?;
        Ok(var.set(values)?)
    }

    /// The parameters that are trained, in the order of their names.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.trained.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// The values, copied to the CPU.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn to_parameters(&self) -> Result<Parameters> {
        self.tensors
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), tensor.flatten_all()?.to_vec1()?)))
            .collect()
    }
}
