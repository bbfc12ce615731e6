//! The files that `run_qa.py` leaves in its output directory: JSON objects by question id, in the order of the data set.

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;

use crate::Prediction;

/// The texts, the n best answers and the null odds: name and contents of each file. The last is there only where the
/// null answer is possible.
///
/// # Errors
/// None that can happen: all is text and numbers.
pub fn files(predictions: &[Prediction]) -> serde_json::Result<Vec<(&'static str, String)>> {
    let n_best = predictions.iter().map(|question| (question.id.as_str(), &question.n_best));
    let mut files = vec![
        ("predictions.json", texts(predictions)?),
        ("nbest_predictions.json", object(n_best.collect())?),
    ];
    let odds = predictions.iter().filter_map(|question| Some((question.id.as_str(), question.null_odds?)));
    let odds: Vec<(&str, f64)> = odds.collect();
    if !odds.is_empty() {
        files.push(("null_odds.json", object(odds)?));
    }
    Ok(files)
}

/// The texts alone, as the official scripts read them.
///
/// # Errors
/// As [`files`].
pub fn texts(predictions: &[Prediction]) -> serde_json::Result<String> {
    object(predictions.iter().map(|question| (question.id.as_str(), &question.text)).collect())
}

/// An object whose keys keep their order.
struct Object<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for Object<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn object<T: Serialize>(entries: Vec<(&str, T)>) -> serde_json::Result<String> {
    let mut json = Vec::new();
    // Four spaces, as Python's json.dumps(…, indent=4).
    let formatter = PrettyFormatter::with_indent(b"    ");
    Object(entries).serialize(&mut serde_json::Serializer::with_formatter(&mut json, formatter))?;
    json.push(b'\n');
    String::from_utf8(json).map_err(serde_json::Error::custom)
}
