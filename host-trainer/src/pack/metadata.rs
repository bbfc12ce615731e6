//! The metadata of a packed file: the card of its model.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::format::Kind;
use blockspan_engine::{AlignedBytes, Model};

use crate::card::{self, Card};
use crate::inspect::Inspection;
use crate::prune::pattern::Pattern;

use super::writer;

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

/// A packed file with these lines of metadata in place of those of the same keys; all else stays as it is. `model` is the
/// file `bytes`.
///
/// # Errors
/// A key that cannot be one, or a number out of range.
pub fn with_metadata(model: &Model<'_>, bytes: &[u8], lines: &[(&str, String)]) -> Result<AlignedBytes> {
    let mut card = Card::default();
    lines.iter().try_for_each(|(key, value)| card.set(key, value))?;
    let metadata = changed(model.metadata(), &card);
    let sections = model.sections().map(|entry| {
        let start = usize::try_from(entry.offset).ok()?;
        let section = bytes.get(start..start.checked_add(usize::try_from(entry.length).ok()?)?)?;
        Some(if entry.id.kind == Kind::Metadata { metadata.clone().into_bytes() } else { section.to_vec() })
    });
    let sections: Option<Vec<Vec<u8>>> = sections.collect();
    let file = writer::file(model.config(), &sections.context("the bytes are not those of the model")?)?;
    Model::parse(&file).map_err(|error| anyhow!("the file that was made: {error}"))?;
    Ok(file)
}

/// The lines of `metadata` with those of `card` where [`Card::entries`] would show them, if the others stand so.
fn changed(metadata: &str, card: &Card) -> String {
    let key = |line: &str| line.split_once(':').map_or(line, |(key, _)| key).trim().to_owned();
    let mut lines: Vec<String> =
        metadata.lines().filter(|line| card.get(&key(line)).is_none()).map(str::to_owned).collect();
    for (new, value) in card.entries() {
        let rank = card::rank(new);
        let place = lines.iter().position(|line| card::rank(&key(line)) > rank).unwrap_or(lines.len());
        lines.insert(place, format!("{new}: {value}"));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::changed;
    use crate::card::Card;

    #[test]
    fn lines_are_replaced_and_others_keep_their_places() -> anyhow::Result<()> {
        let mut card = Card::default();
        card.set("null_threshold", "-1.5")?;
        card.set("answerable_slope", "-0.5")?;
        let found = changed("base: b\nnull_threshold: 3\nlicense: MIT\nzoo: a: b\n", &card);
        assert_eq!(found, "base: b\nnull_threshold: -1.5\nanswerable_slope: -0.5\nlicense: MIT\nzoo: a: b\n");
        assert_eq!(changed("", &card), "null_threshold: -1.5\nanswerable_slope: -0.5\n");
        assert_eq!(changed(&found, &card), found);
        Ok(())
    }
}
