//! Small folders.

use blockspan_retrieval::{Builder, Index, Layout, Places, Source, Stamp};
use xxhash_rust::xxh64::xxh64;

/// Documents with all kinds of places, and two with the same text.
pub const SOURCES: [Source<'static>; 6] = [
    source("a/copy.txt", "The lighthouse was built in 1862 by Otto."),
    Source {
        title: "Bakery",
        layout: Layout::Lines,
        places: Places::Lines(&[(0, 3), (15, 9)]),
        ..source("a/page.html", "Opening hours.\nIt opens at nine.")
    },
    Source {
        layout: Layout::Markdown,
        ..source("b.md", "# Mast\n\nIt is 31 metres high. Its café sells Größen.\n\n## Crane\nIt lifts 9 t.")
    },
    source("empty.txt", ""),
    source("harbor.txt", "The lighthouse was built in 1862 by Otto."),
    Source {
        places: Places::Pages(&[(0, 1), (27, 2)]),
        ..source("manual.pdf", "The crane lifts nine tons.\u{c}The crane was sold in 1901.")
    },
];

pub const fn source(name: &'static str, text: &'static str) -> Source<'static> {
    Source {
        name,
        title: "",
        text,
        layout: Layout::Prose,
        places: Places::Text,
        stamp: Stamp { modified: (7, 8), bytes: text.len() as u64, hash: 9 },
    }
}

pub fn build(sources: &[Source<'_>]) -> Vec<u8> {
    let mut builder = Builder::new((1_700_000_000, 5));
    sources.iter().for_each(|source| builder.add(source).unwrap());
    assert_eq!(builder.documents(), sources.len());
    builder.finish().unwrap()
}

pub fn index(sources: &[Source<'_>]) -> Index {
    Index::new(build(sources)).unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes of the header, and of the header and the table.
pub const HEADER: usize = 96;
pub const TABLE: usize = HEADER + 8 * 32;

/// A number of the file.
pub fn long(file: &[u8], at: usize) -> usize {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize
}

/// Where the section of that number, from 1, lies.
pub fn section(file: &[u8], number: usize) -> core::ops::Range<usize> {
    let entry = HEADER + 32 * (number - 1);
    let start = long(file, entry + 8);
    // Either may be anything in a file that was edited.
    start..start.saturating_add(long(file, entry + 16))
}

/// Makes the checksums of a file that was edited fit.
pub fn mend(file: &mut [u8]) {
    for number in 1..=8 {
        if let Some(content) = file.get(section(file, number)) {
            let sum = xxh64(content, 0).to_le_bytes();
            file[HEADER + 32 * (number - 1) + 24..][..8].copy_from_slice(&sum);
        }
    }
    let sum = xxh64(&file[..88], 0) ^ xxh64(&file[HEADER..TABLE], 0).rotate_left(1);
    file[88..HEADER].copy_from_slice(&sum.to_le_bytes());
}
