//! The records of the tables.

/// The 4 bytes at `at`, little-endian; 0 where there are none, which no checked file has.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// The 8 bytes at `at`, in the same way.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// A document. `…_end` are the ends of its parts of other sections; they begin where those of the document before end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DocumentRecord {
    pub text_end: u64,
    pub name_end: u32,
    /// In entries of the section.
    pub lines_end: u32,
    pub passages_end: u32,
    /// 1: the text's lines are the file's; 2, 3: the section `lines` tells lines or pages.
    pub places: u32,
    /// Seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    pub file_bytes: u64,
    pub file_hash: u64,
}

impl DocumentRecord {
    pub const LEN: usize = 56;

    pub fn read(bytes: &[u8]) -> Self {
        Self {
            text_end: u64_at(bytes, 0),
            name_end: u32_at(bytes, 8),
            lines_end: u32_at(bytes, 12),
            passages_end: u32_at(bytes, 16),
            places: u32_at(bytes, 20),
            modified: (u64_at(bytes, 24).cast_signed(), u32_at(bytes, 32)),
            file_bytes: u64_at(bytes, 40),
            file_hash: u64_at(bytes, 48),
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.text_end.to_le_bytes());
        for word in [self.name_end, self.lines_end, self.passages_end, self.places] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.modified.0.to_le_bytes());
        out.extend(self.modified.1.to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.file_bytes.to_le_bytes());
        out.extend(self.file_hash.to_le_bytes());
    }

    /// Whether the bytes that mean nothing are 0.
    pub fn is_clean(bytes: &[u8]) -> bool {
        u32_at(bytes, 36) == 0
    }
}

/// A passage: where it is in its document's text, and how many words it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PassageRecord {
    pub start: u32,
    pub end: u32,
    pub words: u32,
}

impl PassageRecord {
    pub const LEN: usize = 12;

    pub fn read(bytes: &[u8]) -> Self {
        let [start, end, words] = [0, 4, 8].map(|at| u32_at(bytes, at));
        Self { start, end, words }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        [self.start, self.end, self.words].into_iter().for_each(|word| out.extend(word.to_le_bytes()));
    }
}

/// A term: the ends of its text and its postings, and in how many passages it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TermRecord {
    pub postings_end: u64,
    pub text_end: u32,
    pub passages: u32,
}

impl TermRecord {
    pub const LEN: usize = 16;

    pub fn read(bytes: &[u8]) -> Self {
        Self { postings_end: u64_at(bytes, 0), text_end: u32_at(bytes, 8), passages: u32_at(bytes, 12) }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.postings_end.to_le_bytes());
        out.extend(self.text_end.to_le_bytes());
        out.extend(self.passages.to_le_bytes());
    }
}
