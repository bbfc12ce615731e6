//! A whole checkpoint in memory.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Reader;
use crate::config::{Config, HEAD_BIAS, HEAD_WEIGHT};
use crate::notes::note;

/// The parameters of a network in f32, row-major, by Hugging Face name: exactly those that
/// [`Config::parameters`] lists.
pub type Parameters = BTreeMap<String, Vec<f32>>;

/// Reads the weights in `directory`; see [`Reader`] for what it may hold.
///
/// Poolers, other heads (`cls.*`) and `position_ids` are ignored. Without `qa_outputs` the head is drawn from a
/// normal distribution of deviation `initializer_range` by `seed`, its bias is 0, and the second value is true.
///
/// # Errors
/// As for [`Reader::open`] and [`Reader::read`].
pub fn load(directory: &Path, config: &Config, seed: u64) -> Result<(Parameters, bool)> {
    parameters(&Reader::open(directory)?, config, seed)
}

/// As [`load`], for what a run begins with: where a head is drawn, a note says so.
///
/// # Errors
/// As for [`load`].
pub fn load_base(directory: &Path, config: &Config, seed: u64) -> Result<Parameters> {
    let reader = Reader::open(directory)?;
    let (parameters, fresh_head) = parameters(&reader, config, seed)?;
    if fresh_head {
        note(&format!(
            "{}: the checkpoint has no {HEAD_WEIGHT} ({}); a fresh head is drawn by --seed",
            reader.path().display(),
            reader.beside_the_encoder()
        ));
    }
    Ok(parameters)
}

/// As [`load`], for a network that must have learned to answer.
///
/// # Errors
/// As for [`load`], or a checkpoint without a head; the message says what it holds instead.
pub fn load_fine_tuned(directory: &Path, config: &Config) -> Result<Parameters> {
    let reader = Reader::open(directory)?;
    reader.check_head()?;
    Ok(parameters(&reader, config, 0)?.0)
}

fn parameters(reader: &Reader, config: &Config, seed: u64) -> Result<(Parameters, bool)> {
    let fresh_head = !reader.contains(HEAD_WEIGHT);
    let mut parameters = Parameters::new();
    for (name, shape) in config.parameters() {
        let values = match name.as_str() {
            HEAD_WEIGHT if fresh_head => {
                normal(shape.iter().product(), config.initializer_range as f32, seed)
            }
            HEAD_BIAS if fresh_head => vec![0.0; 2],
            _ => reader.read(&name, &shape)?,
        };
        parameters.insert(name, values);
    }
    Ok((parameters, fresh_head))
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
