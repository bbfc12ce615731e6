//! Header, section table and sections as one file.

use anyhow::{Result, anyhow};
use blockspan_engine::format::{ALIGN, Config, ENTRY_LEN, Entry, HEADER_LEN, section_ids};
use blockspan_engine::{AlignedBytes, xxh64};

/// The whole file; `sections` in the order of [`section_ids`].
pub(super) fn file(config: &Config, sections: &[Vec<u8>]) -> Result<AlignedBytes> {
    let mut table = Vec::new();
    let mut offset = (HEADER_LEN + ENTRY_LEN * sections.len()).next_multiple_of(ALIGN);
    for (id, section) in section_ids(config.layers).zip(sections) {
        let entry =
            Entry { id, offset: offset as u64, length: section.len() as u64, checksum: xxh64(section) };
        table.extend(entry.to_bytes());
        offset = (offset + section.len()).next_multiple_of(ALIGN);
    }
    let header = config
        .header(offset as u64, &table)
        .map_err(|reason| anyhow!("the format does not allow this model: {reason}"))?;
    let mut bytes = Vec::with_capacity(offset + ALIGN);
    bytes.extend(header);
    bytes.extend(table);
    for section in sections {
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        bytes.extend(section);
    }
    bytes.resize(offset, 0);
    Ok(AlignedBytes::from(bytes))
}
