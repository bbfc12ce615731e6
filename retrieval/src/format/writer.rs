//! From sections to a file.

use xxhash_rust::xxh64::xxh64;

use super::header::{ALIGN, Counts, ENTRY_LEN, SECTIONS, TABLE_END, header};

/// The content of each section, in the order of [`SECTIONS`].
pub(crate) type Body = [Vec<u8>; SECTIONS.len()];

/// The bytes of the file.
pub(crate) fn write(counts: &Counts, body: &Body) -> Vec<u8> {
    let len = body.iter().fold(TABLE_END, |end, content| end.next_multiple_of(ALIGN) + content.len());
    let mut file = Vec::with_capacity(len.next_multiple_of(ALIGN));
    file.resize(TABLE_END, 0);
    let mut table = Vec::with_capacity(ENTRY_LEN * SECTIONS.len());
    for (section, content) in SECTIONS.into_iter().zip(body) {
        file.resize(file.len().next_multiple_of(ALIGN), 0);
        table.extend((section as u32).to_le_bytes());
        table.extend([0; 4]);
        table.extend((file.len() as u64).to_le_bytes());
        table.extend((content.len() as u64).to_le_bytes());
        table.extend(xxh64(content, 0).to_le_bytes());
        file.extend_from_slice(content);
    }
    file.resize(file.len().next_multiple_of(ALIGN), 0);
    let header = header(counts, file.len() as u64, &table);
    for (slot, byte) in file.iter_mut().zip(header.into_iter().chain(table)) {
        *slot = byte;
    }
    file
}
