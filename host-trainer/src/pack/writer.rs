//! Header, section table and sections as one file.

use core::ops::Deref;

use anyhow::{Result, anyhow};
use blockspan_engine::format::{ALIGN, Config, ENTRY_LEN, Entry, HEADER_LEN, section_ids};
use blockspan_engine::xxh64;

/// Bytes that start at a multiple of 64 in memory, as the engine wants them.
#[derive(Debug)]
pub struct Aligned {
    /// `skip` bytes, then the content.
    bytes: Vec<u8>,
    skip: usize,
}

impl From<&[u8]> for Aligned {
    fn from(content: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(content.len() + ALIGN);
        let skip = bytes.as_ptr().addr().wrapping_neg() % ALIGN;
        bytes.resize(skip, 0);
        bytes.extend_from_slice(content);
        Self { bytes, skip }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.skip..).unwrap_or(&[])
    }
}

/// The whole file; `sections` in the order of [`section_ids`].
pub(super) fn file(config: &Config, sections: &[Vec<u8>]) -> Result<Aligned> {
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
    let mut bytes = Vec::with_capacity(offset);
    bytes.extend(header);
    bytes.extend(table);
    for section in sections {
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        bytes.extend(section);
    }
    bytes.resize(offset, 0);
    Ok(Aligned::from(bytes.as_slice()))
}
