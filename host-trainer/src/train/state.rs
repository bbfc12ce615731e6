//! Where a run stands, as a checkpoint keeps it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::features::Feature;
use crate::output::write_atomically;
use crate::train::options::{ACCUMULATION, BATCH_SIZE, DTYPE, EPOCHS, MAX_STEPS, WORKERS};

/// The file in a checkpoint.
const FILE: &str = "training.json";

/// Of the file; another one is refused.
const VERSION: u32 = 1;

/// The position of a run. With the weights, the optimizer's moments and the masks it is all that the next step
/// depends on: the order of the data and what dropout drops follow from the seed and the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// Steps taken; the epoch and the place in the data follow from it.
    pub step: usize,
    /// Tokens trained on, without padding.
    pub tokens: usize,
    /// Seconds spent so far.
    pub seconds: f64,
    /// The smoothed loss.
    pub loss: Option<f64>,
    /// Windows that the network reads at once: less than asked for once memory ran out.
    pub batch_size: usize,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// What decides the course of the run; see [`FinetuneOptions::recipe`](super::FinetuneOptions::recipe).
    pub recipe: Vec<(String, String)>,
    /// A digest of the training data.
    pub data: String,
}

/// The step of an evaluation and its F1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps taken.
    pub step: usize,
    /// Exact match, in percent.
    pub exact_match: f64,
    /// F1, in percent.
    pub f1: f64,
}

impl State {
    /// Before the first step.
    pub fn new(recipe: Vec<(String, String)>, data: &[Feature], batch_size: usize) -> Self {
        State {
            version: VERSION,
            step: 0,
            tokens: 0,
            seconds: 0.0,
            loss: None,
            batch_size,
            best: None,
            recipe,
            data: digest(data),
        }
    }

    /// Reads the state in a checkpoint.
    ///
    /// # Errors
    /// A file that cannot be read or understood; the message names it.
    pub fn read(checkpoint: &Path) -> Result<Self> {
        let path = checkpoint.join(FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{}: cannot read; remove this checkpoint", path.display()))?;
        let state: State = serde_json::from_str(&text).with_context(|| {
            format!("{}: damaged; remove this checkpoint to go on from the one before", path.display())
        })?;
        ensure!(
            state.version == VERSION,
            "{}: version {} of the format, this program knows {VERSION}; resume with the program that began",
            path.display(),
            state.version
        );
        Ok(state)
    }

    /// Writes the state into a checkpoint.
    ///
    /// # Errors
    /// A failure to write; the message names the file.
    pub fn write(&self, checkpoint: &Path) -> Result<()> {
        write_atomically(&checkpoint.join(FILE), (serde_json::to_string_pretty(self)? + "\n").as_bytes())
    }

    /// Checks that a run with this recipe and data is the one that `self` was saved by, and no shorter: it may have more
    /// steps, another `--dtype`, since what is saved is f32 with each, and other workers, as long as a step has as many
    /// windows.
    ///
    /// # Errors
    /// The first difference, with both values.
    pub fn check(&self, now: &State, per_epoch: usize) -> Result<()> {
        let may_change = [DTYPE, EPOCHS, MAX_STEPS, BATCH_SIZE, ACCUMULATION, WORKERS];
        let decides = |(flag, _): &&(String, String)| !may_change.contains(&flag.as_str());
        for (flag, value) in now.recipe.iter().filter(decides) {
            let before = self.value(flag);
            ensure!(
                before == Some(value),
                "--resume: {flag} is {value}, but the run began with {}; give the same, or --overwrite to \
                 begin anew",
                before.unwrap_or("nothing of that name")
            );
        }
        let mut before = self.recipe.iter().filter(decides);
        if let Some((flag, value)) = before.find(|(flag, _)| now.value(flag).is_none()) {
            bail!("--resume: the run began with {flag} {value}; give the same, or --overwrite to begin anew");
        }
        let (before, windows) = (self.step_windows(), now.step_windows());
        ensure!(
            before.iter().product::<usize>() == windows.iter().product::<usize>(),
            "--resume: a step has {} windows ({}), but the run began with {} ({}); give the same number of windows, or \
             --overwrite to begin anew",
            windows.iter().product::<usize>(),
            product(windows),
            before.iter().product::<usize>(),
            product(before)
        );
        ensure!(
            self.data == now.data,
            "--resume: the training data changed since the run began; give the same files, or --overwrite \
             to begin anew"
        );
        let (before, steps) = (self.steps(per_epoch), now.steps(per_epoch));
        ensure!(
            steps >= before,
            "--resume: the run began with {before} steps and would have {steps}; give the same --epochs and \
             --max-steps or more, or --overwrite to begin anew"
        );
        Ok(())
    }

    /// The numbers whose product is the windows of a step: those that the network reads at once, batches and workers.
    fn step_windows(&self) -> [usize; 3] {
        [BATCH_SIZE, ACCUMULATION, WORKERS].map(|flag| self.number(flag).unwrap_or(1))
    }

    /// Whether the windows of a step are shared out in another way than by the run that `before` was saved by.
    pub fn shares_otherwise(&self, before: &State) -> bool {
        self.step_windows() != before.step_windows()
    }

    fn number(&self, flag: &str) -> Option<usize> {
        self.value(flag)?.parse().ok()
    }

    /// Steps of the whole run that the recipe asks for, given those of a pass over the data.
    pub fn steps(&self, per_epoch: usize) -> usize {
        let epochs = || self.number(EPOCHS).unwrap_or(0);
        self.number(MAX_STEPS).unwrap_or_else(|| per_epoch.saturating_mul(epochs()))
    }

    /// The value of a flag in the recipe.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.recipe.iter().find(|(name, _)| name == flag).map(|(_, value)| value.as_str())
    }
}

/// The windows of a step as a product, in the words of the flags.
fn product([batch_size, accumulation, workers]: [usize; 3]) -> String {
    format!("{BATCH_SIZE} {batch_size} × {ACCUMULATION} {accumulation} × {workers} workers")
}

/// 64-bit FNV-1a over the windows' ids and labels, in their order.
fn digest(data: &[Feature]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |value: u32| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for feature in data {
        add(feature.input_ids.len() as u32);
        feature.input_ids.iter().for_each(|&id| add(id));
        add(feature.answer.0 as u32);
        add(feature.answer.1 as u32);
    }
    format!("{} windows, {hash:016x}", data.len())
}
