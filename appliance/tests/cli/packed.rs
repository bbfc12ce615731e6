//! Models for tests.

use std::path::{Path, PathBuf};

use blockspan_engine::xxh64;

pub fn default_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/default.bspan")
}

/// The default model with other metadata.
pub fn with_card(metadata: &str) -> Vec<u8> {
    let mut file = std::fs::read(default_model()).unwrap();
    let long = |file: &[u8], at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let count = u32::from_le_bytes(file[24..28].try_into().unwrap()) as usize;
    // Metadata is the first section.
    let entry = |section: usize| 128 + 32 * section;
    let (start, end) = (long(&file, entry(0) + 8) as usize, long(&file, entry(1) + 8) as usize);
    let mut padded = metadata.as_bytes().to_vec();
    padded.resize(metadata.len().next_multiple_of(64), 0);
    let shift = padded.len().wrapping_sub(end - start) as u64;
    file.splice(start..end, padded);

    let set = |file: &mut [u8], at: usize, value: u64| file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    set(&mut file, entry(0) + 16, metadata.len() as u64);
    set(&mut file, entry(0) + 24, xxh64(metadata.as_bytes()));
    for at in (1..count).map(|section| entry(section) + 8) {
        let offset = long(&file, at).wrapping_add(shift);
        set(&mut file, at, offset);
    }
    let len = file.len() as u64;
    set(&mut file, 16, len);
    let sum = xxh64(&file[..120]) ^ xxh64(&file[128..entry(count)]).rotate_left(1);
    set(&mut file, 120, sum);
    file
}
