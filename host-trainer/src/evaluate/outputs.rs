//! The files that `run_qa.py` leaves in its output directory.

use std::path::Path;

use anyhow::Result;
use blockspan_squad::{Prediction, outputs};

use crate::output;

/// Writes `predictions.json`, `nbest_predictions.json` and, where the null answer is possible, `null_odds.json`.
///
/// # Errors
/// A failure to write; the message names the file.
pub fn write_outputs(directory: &Path, predicted: &[Prediction]) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (name, contents) in outputs::files(predicted)? {
        output::write_atomically(&directory.join(name), contents.as_bytes())?;
    }
    Ok(())
}

/// Writes the predicted texts by question id; to standard output where `path` is `-`.
///
/// # Errors
/// As [`write_outputs`].
pub fn write_predictions(path: &Path, predicted: &[Prediction]) -> Result<()> {
    output::write(path, outputs::texts(predicted)?.as_bytes())
}
