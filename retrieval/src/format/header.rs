//! The fixed header and the section table.

use core::ops::Range;

use xxhash_rust::xxh64::xxh64;

use super::records::{u32_at, u64_at};
use crate::error::{IndexError, Section};

/// The first 8 bytes of a file; as in PNG, damage by text-mode transfer shows.
pub const MAGIC: [u8; 8] = *b"\x89BSIDX\r\n";

/// The version of the format that this crate reads and writes.
pub const VERSION: u32 = 1;

/// How texts become terms; another way needs another number, so that an index is not searched with the wrong terms.
pub(crate) const ANALYSIS: u32 = 1;

/// Bytes of the header; the section table follows.
pub(crate) const HEADER_LEN: usize = 96;

/// Where the header's checksum stands; it covers the header up to here and the section table.
pub(crate) const CHECKSUM_AT: usize = 88;

/// Bytes of an entry of the section table.
pub(crate) const ENTRY_LEN: usize = 32;

/// Every section starts at a multiple of this, and the file ends at one.
pub(crate) const ALIGN: usize = 8;

/// The sections in the order of the table and of the file.
pub(crate) const SECTIONS: [Section; 8] = [
    Section::Documents,
    Section::Names,
    Section::Lines,
    Section::Passages,
    Section::Text,
    Section::Terms,
    Section::TermTexts,
    Section::Postings,
];

/// Where the first section begins.
pub(crate) const TABLE_END: usize = HEADER_LEN + ENTRY_LEN * SECTIONS.len();

/// The header's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub documents: u32,
    pub passages: u32,
    pub terms: u32,
    /// Words of all passages.
    pub words: u64,
    /// When the index was begun: seconds since 1970, and nanoseconds.
    pub written: (i64, u32),
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub counts: Counts,
    sections: [Range<usize>; SECTIONS.len()],
}

impl Layout {
    /// Reads and checks the header, the table and every section's checksum.
    pub fn read(bytes: &[u8]) -> Result<Self, IndexError> {
        if bytes.get(..8) != Some(&MAGIC) {
            return Err(IndexError::NotAnIndex);
        }
        let found = bytes.len() as u64;
        if found >= 12 && u32_at(bytes, 8) != VERSION {
            return Err(IndexError::Version(u32_at(bytes, 8)));
        }
        let short = IndexError::Length { expected: TABLE_END as u64, found };
        let (header, rest) = bytes.split_at_checked(HEADER_LEN).ok_or(short)?;
        let table = rest.get(..TABLE_END - HEADER_LEN).ok_or(short)?;
        if u64_at(header, 16) != found {
            return Err(IndexError::Length { expected: u64_at(header, 16), found });
        }
        let refuse = |reason| Err(IndexError::Header(reason));
        if u32_at(header, 12) != HEADER_LEN as u32 || u32_at(header, 24) != SECTIONS.len() as u32 {
            return refuse("header_len is not 96, or section_count not 8");
        }
        if checksum(header, table) != u64_at(header, CHECKSUM_AT) {
            return refuse("its checksum differs");
        }
        if u32_at(header, 28) != ANALYSIS {
            return refuse("its terms were made in another way; make the index again");
        }
        let zeros = [44..48, 60..64, 72..CHECKSUM_AT];
        if zeros.into_iter().any(|range| header.get(range).is_none_or(|bytes| bytes.iter().any(|&b| b != 0)))
        {
            return refuse("reserved bytes are not 0");
        }
        let counts = Counts {
            documents: u32_at(header, 32),
            passages: u32_at(header, 36),
            terms: u32_at(header, 40),
            words: u64_at(header, 64),
            written: (u64_at(header, 48).cast_signed(), u32_at(header, 56)),
        };
        if counts.written.1 >= 1_000_000_000 {
            return refuse("written_nanos is a second or more");
        }
        let sections = read_table(bytes, table)?;
        Ok(Self { counts, sections })
    }

    /// Where a section lies.
    pub fn section(&self, section: Section) -> Range<usize> {
        let index = section as usize - 1;
        self.sections.get(index).cloned().unwrap_or_default()
    }
}

/// Where the sections lie, which must be where a writer puts them; the bytes between them must be 0.
fn read_table(bytes: &[u8], table: &[u8]) -> Result<[Range<usize>; SECTIONS.len()], IndexError> {
    let mut sections = [const { 0..0 }; SECTIONS.len()];
    let mut end = TABLE_END;
    for ((slot, section), entry) in sections.iter_mut().zip(SECTIONS).zip(table.chunks_exact(ENTRY_LEN)) {
        let [offset, length, sum] = [8, 16, 24].map(|at| u64_at(entry, at));
        if u32_at(entry, 0) != section as u32 || u32_at(entry, 4) != 0 {
            return Err(IndexError::Header("the section table is not in order"));
        }
        let start = end.next_multiple_of(ALIGN);
        let outside = IndexError::Header("a section is not where it should be");
        let length = usize::try_from(length).map_err(|_| outside)?;
        let range = start..start.checked_add(length).ok_or(outside)?;
        let content = bytes.get(range.clone()).ok_or(outside)?;
        if offset != start as u64 || !is_zero(bytes, end..start) {
            return Err(outside);
        }
        if xxh64(content, 0) != sum {
            return Err(IndexError::Checksum(section));
        }
        end = range.end;
        *slot = range;
    }
    if bytes.len() != end.next_multiple_of(ALIGN) || !is_zero(bytes, end..bytes.len()) {
        return Err(IndexError::Header("the file does not end behind its last section"));
    }
    Ok(sections)
}

fn is_zero(bytes: &[u8], range: Range<usize>) -> bool {
    bytes.get(range).is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
}

/// The header's bytes, for a file of `file_len` bytes with this section table.
pub(super) fn header(counts: &Counts, file_len: u64, table: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = [0u8; HEADER_LEN];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(slot) = header.get_mut(at..at + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
    };
    put(0, &MAGIC);
    put(16, &file_len.to_le_bytes());
    let words = [
        (8, VERSION),
        (12, HEADER_LEN as u32),
        (24, SECTIONS.len() as u32),
        (28, ANALYSIS),
        (32, counts.documents),
        (36, counts.passages),
        (40, counts.terms),
        (56, counts.written.1),
    ];
    for (at, word) in words {
        put(at, &word.to_le_bytes());
    }
    put(48, &counts.written.0.to_le_bytes());
    put(64, &counts.words.to_le_bytes());
    let sum = checksum(&header, table).to_le_bytes();
    if let Some(slot) = header.get_mut(CHECKSUM_AT..) {
        slot.copy_from_slice(&sum);
    }
    header
}

/// XXH64 of the header before its checksum, combined with that of the table.
fn checksum(header: &[u8], table: &[u8]) -> u64 {
    xxh64(header.get(..CHECKSUM_AT).unwrap_or(&[]), 0) ^ xxh64(table, 0).rotate_left(1)
}
