//! The files that `run_qa.py` leaves in its output directory.

use std::path::Path;

use anyhow::Result;
use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;

use super::Predicted;
use crate::checkpoint::write_atomically;

/// Writes `predictions.json`, `nbest_predictions.json` and, where questions may have no answer, `null_odds.json`:
/// objects by question id, in the order of the data set.
///
/// # Errors
/// A failure to write; the message names the file.
pub fn write_outputs(directory: &Path, predicted: &[Predicted]) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    write_predictions(&directory.join("predictions.json"), predicted)?;
    let n_best = predicted.iter().map(|question| (question.id.as_str(), &question.n_best));
    write(&directory.join("nbest_predictions.json"), n_best.collect())?;
    let odds = predicted.iter().filter_map(|question| Some((question.id.as_str(), question.null_odds?)));
    let odds: Vec<_> = odds.collect();
    if odds.is_empty() { Ok(()) } else { write(&directory.join("null_odds.json"), odds) }
}

/// Writes the predicted texts by question id.
///
/// # Errors
/// As [`write_outputs`].
pub fn write_predictions(path: &Path, predicted: &[Predicted]) -> Result<()> {
    write(path, predicted.iter().map(|question| (question.id.as_str(), &question.text)).collect())
}

/// An object whose keys keep their order.
struct Object<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for Object<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn write<T: Serialize>(path: &Path, entries: Vec<(&str, T)>) -> Result<()> {
    let mut json = Vec::new();
    // Four spaces, as Python's json.dumps(…, indent=4).
    let formatter = PrettyFormatter::with_indent(b"    ");
    Object(entries).serialize(&mut serde_json::Serializer::with_formatter(&mut json, formatter))?;
    json.push(b'\n');
    write_atomically(path, &json)
}
