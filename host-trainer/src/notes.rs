//! Lines on the standard error stream that tell what was made of an unusual input.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::output;

/// The lines that were printed.
static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Prints `note: LINE`; a line only once, however often a file is read.
pub(crate) fn note(line: &str) {
    let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    if printed.insert(line.to_owned()) {
        output::remark(&format!("note: {}", line.replace(['\n', '\r'], " ")));
    }
}
