//! The metadata of a packed file: the card of its model.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::card::{self, Card};
use crate::inspect::Inspection;
use crate::prune::pattern::Pattern;

/// Lines `key: value`: what the directory's card says, what `given` says, and what is measured here.
pub(super) fn metadata(
    directory: &Path,
    inspection: &Inspection,
    given: &[(String, String)],
) -> Result<String> {
    let mut card = Card::of_directory(directory)?;
    card.set(card::SOURCE, &card::model_name(directory))?;
    for (key, value) in given {
        ensure!(
            !card::OF_THE_PACKER.contains(&key.as_str()),
            "{key}: pack itself tells this in the metadata; leave it out of --card and --metadata"
        );
        card.set(key, value)?;
    }
    let pattern = inspection.pattern().map_or("neither", |found| found.map_or("dense", Pattern::name));
    card.set(card::PATTERN, pattern)?;
    card.set(card::SPARSITY, &((1e4 * inspection.total().sparsity()).round() / 1e4).to_string())?;
    card.set(card::CREATED_BY, concat!("blockspan-trainer ", env!("CARGO_PKG_VERSION")))?;
    // The windows are in the header.
    let lines = card.entries().filter(|(key, _)| ![card::MAX_SEQ_LEN, card::DOC_STRIDE].contains(key));
    Ok(lines.map(|(key, value)| format!("{key}: {value}\n")).collect())
}
