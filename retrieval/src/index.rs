//! An index, checked and used in place.

mod check;

use core::cmp::Ordering;
use core::ops::Range;

use crate::builder::{Places, Stamp};
use crate::error::{IndexError, Section};
use crate::format::{Counts, DocumentRecord, Layout, PassageRecord, TermRecord, u32_at};
use crate::postings::Postings;

/// An index and the bytes that it is in.
pub struct Index {
    bytes: Box<dyn AsRef<[u8]> + Send + Sync>,
    layout: Layout,
}

/// A document of an index.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// Its path in the folder, with `/` between its parts.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Of its file when that was read.
    pub stamp: Stamp,
    /// The numbers of its passages.
    pub passages: Range<u32>,
    pub(crate) places: Table<'a>,
}

/// A passage of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage<'a> {
    /// The number of its document.
    pub document: usize,
    /// Its first byte in the document's text.
    pub start: usize,
    /// Its text.
    pub text: &'a str,
}

/// Which line or page of a file a text is from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    places: u32,
    bytes: &'a [u8],
}

impl Index {
    /// Checks everything that is relied on later: checksums, bounds, order, every text, every posting. Memory is not taken in
    /// proportion to what the bytes claim, only to what they hold.
    ///
    /// # Errors
    /// [`IndexError`] names the section, the place in it and the reason.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, IndexError> {
        let layout = Layout::read(bytes.as_ref())?;
        let index = Self { bytes: Box::new(bytes), layout };
        check::check(&index)?;
        Ok(index)
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.counts().documents as usize
    }

    /// How many passages they have.
    pub fn passages(&self) -> usize {
        self.counts().passages as usize
    }

    /// How many different terms they hold.
    pub fn terms(&self) -> usize {
        self.counts().terms as usize
    }

    /// How many words they have.
    pub fn words(&self) -> u64 {
        self.counts().words
    }

    /// When it was begun to be written: seconds since 1970, and nanoseconds.
    pub fn written(&self) -> (i64, u32) {
        self.counts().written
    }

    /// The document of that number, from 0, in the order of their names.
    pub fn document(&self, number: usize) -> Option<Document<'_>> {
        let record = self.document_record(number)?;
        let before =
            number.checked_sub(1).and_then(|before| self.document_record(before)).unwrap_or_default();
        let name = self.section(Section::Names).get(before.name_end as usize..record.name_end as usize)?;
        let text = self.section(Section::Text).get(before.text_end as usize..record.text_end as usize)?;
        let lines = 8 * before.lines_end as usize..8 * record.lines_end as usize;
        let lines = self.section(Section::Lines).get(lines)?;
        Some(Document {
            name: core::str::from_utf8(name).ok()?,
            text: core::str::from_utf8(text).ok()?,
            stamp: Stamp { modified: record.modified, bytes: record.file_bytes, hash: record.file_hash },
            passages: before.passages_end..record.passages_end,
            places: Table { places: record.places, bytes: lines },
        })
    }

    /// The number of the document of that name.
    pub fn find_document(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.documents());
        while low < high {
            let middle = low.midpoint(high);
            match self.document(middle)?.name.split('/').cmp(name.split('/')) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The passage of that number, from 0.
    pub fn passage(&self, number: u32) -> Option<Passage<'_>> {
        if number >= self.counts().passages {
            return None;
        }
        let document = self.document_of(number);
        let before =
            document.checked_sub(1).and_then(|before| self.document_record(before)).unwrap_or_default();
        let record = self.passage_record(number);
        let at = |place: u32| before.text_end as usize + place as usize;
        let text = self.section(Section::Text).get(at(record.start)..at(record.end))?;
        Some(Passage { document, start: record.start as usize, text: core::str::from_utf8(text).ok()? })
    }

    /// The first document that ends behind the passage.
    fn document_of(&self, passage: u32) -> usize {
        let (mut low, mut high) = (0, self.documents());
        while low < high {
            let middle = low.midpoint(high);
            if self.document_record(middle).is_some_and(|record| record.passages_end <= passage) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.layout.counts
    }

    pub(crate) fn section(&self, section: Section) -> &[u8] {
        self.bytes().get(self.layout.section(section)).unwrap_or_default()
    }

    fn document_record(&self, number: usize) -> Option<DocumentRecord> {
        record(self.section(Section::Documents), number, DocumentRecord::LEN).map(DocumentRecord::read)
    }

    pub(crate) fn passage_record(&self, number: u32) -> PassageRecord {
        let record = record(self.section(Section::Passages), number as usize, PassageRecord::LEN);
        record.map(PassageRecord::read).unwrap_or_default()
    }

    pub(crate) fn term_record(&self, number: usize) -> TermRecord {
        let record = record(self.section(Section::Terms), number, TermRecord::LEN);
        record.map(TermRecord::read).unwrap_or_default()
    }

    /// The text of a term.
    pub(crate) fn term(&self, number: usize) -> &str {
        let range = self.before(number).text_end as usize..self.term_record(number).text_end as usize;
        let bytes = self.section(Section::TermTexts).get(range).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Where a term is.
    pub(crate) fn postings(&self, number: usize) -> Postings<'_> {
        let range = self.before(number).postings_end as usize..self.term_record(number).postings_end as usize;
        Postings::new(self.section(Section::Postings).get(range).unwrap_or_default())
    }

    fn before(&self, term: usize) -> TermRecord {
        term.checked_sub(1).map(|before| self.term_record(before)).unwrap_or_default()
    }

    /// The number of a term.
    pub(crate) fn find(&self, term: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.terms());
        while low < high {
            let middle = low.midpoint(high);
            match self.term(middle).cmp(term) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }
}

impl core::fmt::Debug for Index {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Index").field("layout", &self.layout).finish_non_exhaustive()
    }
}

fn record(section: &[u8], number: usize, len: usize) -> Option<&[u8]> {
    let start = number.checked_mul(len)?;
    section.get(start..start.checked_add(len)?)
}

impl Document<'_> {
    /// Whether places in it are called by pages, not by lines.
    pub fn has_pages(&self) -> bool {
        self.places.places == 3
    }

    /// The file's line, or page, from 1, in which the byte of the text at `at` is.
    pub fn line_at(&self, at: usize) -> u32 {
        if self.places.places == 1 {
            let before = self.text.as_bytes().get(..at).unwrap_or_default();
            return 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u32;
        }
        self.places.line_at(at)
    }

    /// The first byte from which on the text is from a line or page of the file, and that, from 1; none where the text's
    /// lines are the file's.
    pub fn lines(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.places.entries()
    }
}

impl<'a> Table<'a> {
    pub fn entries(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.bytes.chunks_exact(8).map(|entry| (u32_at(entry, 0), u32_at(entry, 4)))
    }

    /// The same with these entries.
    pub fn with<'b>(&self, table: &'b [(u32, u32)]) -> Places<'b> {
        match self.places {
            1 => Places::Text,
            2 => Places::Lines(table),
            _ => Places::Pages(table),
        }
    }

    fn line_at(self, at: usize) -> u32 {
        self.entries().take_while(|(first, _)| *first as usize <= at).last().map_or(1, |(_, line)| line)
    }
}
