//! Reading a checkpoint: any of the usual names and number formats, to f32.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::config::Config;

/// The parameters of a network in f32, row-major, by Hugging Face name: exactly those that
/// [`Config::parameters`] lists.
pub type Parameters = BTreeMap<String, Vec<f32>>;

/// Reads `model.safetensors` in `directory`.
///
/// Names may lack the `bert.` prefix and may use the old `gamma` and `beta`; poolers, other heads
/// (`cls.*`) and `position_ids` are ignored. Without `qa_outputs` the head is drawn from a normal
/// distribution of deviation `initializer_range` by `seed`, its bias is 0, and the second value is true.
///
/// # Errors
/// A file that cannot be read or is not safetensors, a parameter that is missing, of another shape, of
/// a number format other than f32, f16 and bf16, or not finite. The message names file and parameter.
pub fn load(directory: &Path, config: &Config, seed: u64) -> Result<(Parameters, bool)> {
    let path = directory.join("model.safetensors");
    let bytes = std::fs::read(&path).with_context(|| {
        format!("{}: cannot read; the directory must hold its weights as safetensors", path.display())
    })?;
    read(&bytes, config, seed).with_context(|| path.display().to_string())
}

fn read(bytes: &[u8], config: &Config, seed: u64) -> Result<(Parameters, bool)> {
    let file = SafeTensors::deserialize(bytes)
        .context("not a safetensors file, or cut short; fetch the checkpoint again")?;
    let mut stored = BTreeMap::new();
    for (name, view) in file.tensors() {
        stored.insert(canonical_name(&name), view);
    }
    let mut parameters = Parameters::new();
    let fresh_head = !stored.contains_key("qa_outputs.weight");
    for (name, shape) in config.parameters() {
        let values = match stored.get(&name) {
            Some(view) => {
                ensure!(
                    view.shape() == shape,
                    "{name} has the shape {:?}; config.json asks for {shape:?}",
                    view.shape()
                );
                to_f32(view).with_context(|| name.clone())?
            }
            None if fresh_head && name == "qa_outputs.weight" => {
                normal(shape.iter().product(), config.initializer_range as f32, seed)
            }
            None if fresh_head && name == "qa_outputs.bias" => vec![0.0; 2],
            None => bail!("{name} is missing; give a BERT checkpoint that fits its config.json"),
        };
        ensure!(values.iter().all(|v| v.is_finite()), "{name} holds a value that is not finite");
        parameters.insert(name, values);
    }
    Ok((parameters, fresh_head))
}

/// The name that transformers' `BertForQuestionAnswering` gives the parameter.
fn canonical_name(name: &str) -> String {
    let name = match name.strip_suffix(".gamma") {
        Some(stem) => format!("{stem}.weight"),
        None => match name.strip_suffix(".beta") {
            Some(stem) => format!("{stem}.bias"),
            None => name.to_owned(),
        },
    };
    if name.starts_with("embeddings.") || name.starts_with("encoder.") {
        format!("bert.{name}")
    } else {
        name
    }
}

fn to_f32(view: &TensorView<'_>) -> Result<Vec<f32>> {
    let bytes = view.data();
    let halves = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    Ok(match view.dtype() {
        Dtype::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::F16 => halves().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => halves().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        other => bail!("stored as {other:?}; save the checkpoint as f32, f16 or bf16"),
    })
}

/// `count` draws from a normal distribution (Box and Muller).
fn normal(count: usize, deviation: f32, seed: u64) -> Vec<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut draw = || {
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        radius * (core::f32::consts::TAU * rng.random::<f32>()).cos() * deviation
    };
    (0..count).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::canonical_name;

    #[test]
    fn names_of_other_writers_are_understood() {
        for (stored, canonical) in [
            ("encoder.layer.0.output.LayerNorm.gamma", "bert.encoder.layer.0.output.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"),
            ("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"),
            ("qa_outputs.bias", "qa_outputs.bias"),
            ("cls.predictions.bias", "cls.predictions.bias"),
        ] {
            assert_eq!(canonical_name(stored), canonical);
        }
    }
}
