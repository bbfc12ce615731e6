//! Outlier features, shared out between activations and weights before both are rounded to int8.
//!
//! A token's activations share one scale, so a feature of LayerNorm's result that is far larger than the others, as
//! trained BERTs have them, leaves few of the 127 steps to the rest. A packed model therefore holds γ/s and β/s in place
//! of γ and β, the columns w·s in place of w in the matrices that read the result, and s itself, by which the residual
//! connection multiplies. With s = √(max |x| / max |w|) for each feature (SmoothQuant, Xiao et al. 2023, with α = ½),
//! here relative to the median feature, at least 1 and rounded to a power of two: then nothing but the rounding to int8
//! changes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::config::{Config, layer_prefix};
use crate::output::write_atomically;

/// Where a model directory keeps the factors that it was trained with.
const FILE: &str = "smoothing.safetensors";

/// No feature's factor is larger.
const LARGEST: f32 = 65_536.0;

/// What the features of each LayerNorm's result are divided by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Smoothing {
    /// By the name of the LayerNorm without `.weight`; powers of two, at least 1.
    factors: BTreeMap<String, Vec<f32>>,
}

impl Smoothing {
    /// Factors by the name of the LayerNorm without `.weight`; see [`smoothing_factors`].
    pub fn new(factors: BTreeMap<String, Vec<f32>>) -> Self {
        Smoothing { factors }
    }

    /// The factors of a LayerNorm, by its name without `.weight`; `None` where all are 1.
    pub fn of(&self, norm: &str) -> Option<&[f32]> {
        self.factors.get(norm).map(Vec::as_slice).filter(|factors| factors.iter().any(|&s| s != 1.0))
    }

    /// The factors of what the matrix of this name reads; `None` where all are 1.
    pub fn before(&self, matrix: &str) -> Option<&[f32]> {
        self.of(&layer_norm_before(matrix)?)
    }

    /// How many features have a factor that is not 1, of how many, and the largest factor.
    pub fn summary(&self) -> (usize, usize, f32) {
        let all = || self.factors.values().flatten();
        (all().filter(|&&s| s != 1.0).count(), all().count(), all().fold(1.0, |most, &s| s.max(most)))
    }

    /// Reads the factors that a model directory holds, if it does.
    ///
    /// # Errors
    /// A file that cannot be read or does not fit the network; the message names it.
    pub fn read(directory: &Path, config: &Config) -> Result<Option<Self>> {
        let path = directory.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let tensors = SafeTensors::deserialize(&bytes)
            .with_context(|| format!("{}: not a safetensors file; remove it", path.display()))?;
        let mut factors = BTreeMap::new();
        for (name, tensor) in tensors.iter() {
            let fits = tensor.dtype() == Dtype::F32 && tensor.shape() == [config.hidden_size];
            let values: Vec<f32> =
                tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            ensure!(
                fits && values.iter().all(|s| (1.0..=LARGEST).contains(s)),
                "{}: {name} does not hold {} factors from 1 to {LARGEST}; remove the file",
                path.display(),
                config.hidden_size
            );
            factors.insert(name.to_owned(), values);
        }
        Ok(Some(Smoothing { factors }))
    }

    /// Removes the factors that a model directory may hold from another run.
    ///
    /// # Errors
    /// A file that cannot be removed; the message names it.
    pub fn remove(directory: &Path) -> Result<()> {
        let path = directory.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}: cannot remove", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes them into a model directory.
    ///
    /// # Errors
    /// A file that cannot be written; the message names it.
    pub fn save(&self, directory: &Path) -> Result<()> {
        let bytes: Vec<(&String, Vec<u8>)> = self
            .factors
            .iter()
            .map(|(name, factors)| (name, factors.iter().flat_map(|s| s.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, bytes)| Ok((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?)))
            .collect::<Result<Vec<_>>>()?;
        write_atomically(&directory.join(FILE), &safetensors::serialize(views, None)?)
    }
}

/// The LayerNorm whose result the matrix of this name reads, without `.weight`; `None` where it reads something
/// else.
pub fn layer_norm_before(matrix: &str) -> Option<String> {
    let (layer, part) = matrix.strip_prefix("bert.encoder.layer.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    match part.strip_suffix(".weight")? {
        "attention.self.query" | "attention.self.key" | "attention.self.value" => {
            Some(layer.checked_sub(1).map_or("bert.embeddings.LayerNorm".to_owned(), |before| {
                format!("{}.output.LayerNorm", layer_prefix(before))
            }))
        }
        "intermediate.dense" => Some(format!("{}.attention.output.LayerNorm", layer_prefix(layer))),
        _ => None,
    }
}

/// The smoothing factor of each feature, from its largest |x| and the largest |w| that reads it.
pub fn smoothing_factors(values: &[f32], weights: &[f32]) -> Vec<f32> {
    // A feature that no weight reads counts as one that is hardly read.
    let faintest = weights.iter().copied().filter(|&w| w > 0.0).fold(f32::INFINITY, f32::min);
    let ratios: Vec<f32> = values.iter().zip(weights).map(|(x, w)| (x / w.max(faintest)).sqrt()).collect();
    let mut sorted: Vec<f32> = ratios.iter().copied().filter(|r| r.is_finite() && *r > 0.0).collect();
    sorted.sort_by(f32::total_cmp);
    let median = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(1.0);
    let factor = |ratio: f32| (ratio / median).log2().round().exp2().clamp(1.0, LARGEST);
    // NaN, from a network that is not finite, is no reason for a factor.
    ratios.into_iter().map(|ratio| if ratio > 0.0 { factor(ratio) } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_outliers_are_divided_and_by_powers_of_two() {
        let factors = smoothing_factors(&[1.0, 1.0, 64.0, 0.25, 1.0, 1.0], &[0.5, 0.5, 0.5, 0.5, 0.125, 0.0]);
        assert_eq!(factors, [1.0, 1.0, 8.0, 1.0, 2.0, 2.0]);
        assert_eq!(smoothing_factors(&[0.0, f32::NAN, f32::INFINITY], &[0.0; 3]), [1.0, 1.0, 1.0]);
    }

    #[test]
    fn matrices_read_the_norm_before_them() {
        let norm = |part: &str| layer_norm_before(&format!("bert.encoder.layer.{part}.weight"));
        assert_eq!(norm("0.attention.self.key").as_deref(), Some("bert.embeddings.LayerNorm"));
        assert_eq!(
            norm("12.attention.self.value").as_deref(),
            Some("bert.encoder.layer.11.output.LayerNorm")
        );
        let attention = norm("3.intermediate.dense");
        assert_eq!(attention.as_deref(), Some("bert.encoder.layer.3.attention.output.LayerNorm"));
        assert_eq!(norm("3.output.dense"), None);
        assert_eq!(norm("3.attention.output.dense"), None);
        assert_eq!(layer_norm_before("qa_outputs.weight"), None);
    }
}
