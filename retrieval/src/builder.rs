//! Makes an index from documents.

use std::collections::{BinaryHeap, HashMap};

use crate::analysis::{Analyzer, words};
use crate::cut;
use crate::error::Section;
use crate::format::{self, Body, Counts, DocumentRecord, PassageRecord, TermRecord};
use crate::index::{Document, Index};
use crate::postings::{self, Posting};

/// How a text is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Blank lines lie between paragraphs, whose lines may be wrapped.
    #[default]
    Prose,
    /// Every line is a paragraph.
    Lines,
    /// As prose, with headings that begin with `#`.
    Markdown,
}

/// What a place in a text is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Places<'a> {
    /// By the lines of the text, which are those of its file.
    #[default]
    Text,
    /// By lines of the file: the first byte from which on the text is from a line, and that line, from 1; in order.
    Lines(&'a [(u32, u32)]),
    /// By pages of the file, in the same way.
    Pages(&'a [(u32, u32)]),
}

/// What tells whether a file is the one that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it was last changed: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// Bytes of the file.
    pub bytes: u64,
    /// [`Stamp::hash`] of its bytes.
    pub hash: u64,
}

impl Stamp {
    /// XXH64 of a file's bytes.
    pub fn hash(bytes: &[u8]) -> u64 {
        xxhash_rust::xxh64::xxh64(bytes, 0)
    }
}

/// A document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// Its path in the folder, with `/` between its parts.
    pub name: &'a str,
    /// What it says that it is about; its name counts, too.
    pub title: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Where the text's paragraphs end.
    pub layout: Layout,
    /// What a place in it is called.
    pub places: Places<'a>,
    /// Of its file.
    pub stamp: Stamp,
}

/// The documents do not fit into one index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: too much for one index ({section}); index parts of the folder")]
pub struct TooLarge {
    /// The document that does not fit.
    pub name: String,
    /// The part of the file that would be too large.
    pub section: Section,
}

/// Makes an index: documents are added in the order of their names, then [`finish`](Self::finish) gives the file's bytes.
pub struct Builder<'a> {
    analyzer: Analyzer,
    counts: Counts,
    body: Body,
    /// The term of each word that has been seen.
    words: HashMap<Box<str>, u32>,
    /// The number of each term.
    terms: HashMap<Box<str>, u32>,
    /// Of each term: passages, and there `count << 1 | in_title`.
    postings: Vec<Vec<(u32, u32)>>,
    /// The index whose documents may be kept, and the new number of each of its passages.
    old: Option<(&'a Index, Vec<Option<u32>>)>,
}

impl<'a> Builder<'a> {
    /// Without a document. `written` is the time at which the first file was looked at: seconds since 1970, and nanoseconds.
    pub fn new(written: (i64, u32)) -> Self {
        Self {
            analyzer: Analyzer::new(),
            counts: Counts { written, ..Counts::default() },
            body: Body::default(),
            words: HashMap::new(),
            terms: HashMap::new(),
            postings: Vec::new(),
            old: None,
        }
    }

    /// As [`new`](Self::new), with an older index, from which [`keep`](Self::keep) takes documents.
    pub fn updating(old: &'a Index, written: (i64, u32)) -> Self {
        Self { old: Some((old, vec![None; old.passages()])), ..Self::new(written) }
    }

    /// Adds a document, cut into passages.
    ///
    /// # Errors
    /// [`TooLarge`]; the builder is then of no more use.
    pub fn add(&mut self, source: &Source<'_>) -> Result<(), TooLarge> {
        let too_large = |section| TooLarge { name: source.name.to_owned(), section };
        if source.text.len() >= u32::MAX as usize {
            return Err(too_large(Section::Text));
        }
        let path = source.name.rsplit_once('.').map_or(source.name, |(stem, _)| stem);
        for cut in cut::passages(source.text, source.layout) {
            let passage = source.text.get(cut.range.clone()).unwrap_or_default();
            let heading = source.text.get(cut.heading).unwrap_or_default();
            let title = [path, source.title, heading];
            let words = self.count(passage, title).ok_or_else(|| too_large(Section::Passages))?;
            let record = PassageRecord { start: cut.range.start as u32, end: cut.range.end as u32, words };
            record.write(self.part(Section::Passages));
        }
        self.document(source).map_err(too_large)
    }

    /// Keeps a document of the older index as it is there, by its number; nothing if there is no such document.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn keep(&mut self, document: usize) -> Result<(), TooLarge> {
        let stamp =
            self.old.as_ref().and_then(|(old, _)| old.document(document)).map(|document| document.stamp);
        self.keep_with(document, stamp.unwrap_or_default())
    }

    /// As [`keep`](Self::keep), for a file whose content is the same but not its time.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn keep_with(&mut self, document: usize, stamp: Stamp) -> Result<(), TooLarge> {
        let Some((old, _)) = self.old else { return Ok(()) };
        let Some(Document { name, text, places, passages, .. }) = old.document(document) else {
            return Ok(());
        };
        let source = Source { name, text, stamp, ..Source::default() };
        for number in passages {
            let record = old.passage_record(number);
            record.write(self.part(Section::Passages));
            if let Some((_, numbers)) = &mut self.old
                && let Some(slot) = numbers.get_mut(number as usize)
            {
                *slot = Some(self.counts.passages);
            }
            self.counts.words += u64::from(record.words);
            self.counts.passages += 1;
        }
        let table: Vec<(u32, u32)> = places.entries().collect();
        let places = places.with(&table);
        let added = self.document(&Source { places, ..source });
        added.map_err(|section| TooLarge { name: name.to_owned(), section })
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        self.counts.documents as usize
    }

    /// The bytes of the index.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn finish(mut self) -> Result<Vec<u8>, TooLarge> {
        if let Some((old, numbers)) = self.old.take() {
            self.take_postings(old, &numbers);
        }
        // A heap sorts with the least code.
        let terms = BinaryHeap::from_iter(self.terms.drain()).into_sorted_vec();
        let too_large = || TooLarge { name: "the folder".to_owned(), section: Section::TermTexts };
        self.counts.terms = u32::try_from(terms.len()).map_err(|_| too_large())?;
        for (term, id) in terms {
            let mut list = self.postings.get_mut(id as usize).map(core::mem::take).unwrap_or_default();
            in_order(&mut list);
            let decoded = list.iter().map(|&(passage, code)| Posting {
                passage,
                count: code >> 1,
                in_title: code & 1 == 1,
            });
            postings::write(decoded, self.part(Section::Postings));
            self.part(Section::TermTexts).extend_from_slice(term.as_bytes());
            let record = TermRecord {
                postings_end: self.part(Section::Postings).len() as u64,
                text_end: u32::try_from(self.part(Section::TermTexts).len()).map_err(|_| too_large())?,
                passages: list.len() as u32,
            };
            record.write(self.part(Section::Terms));
        }
        Ok(format::write(&self.counts, &self.body))
    }

    fn part(&mut self, section: Section) -> &mut Vec<u8> {
        let [documents, names, lines, passages, text, terms, term_texts, postings] = &mut self.body;
        match section {
            Section::Documents => documents,
            Section::Names => names,
            Section::Lines => lines,
            Section::Passages => passages,
            Section::Text => text,
            Section::Terms => terms,
            Section::TermTexts => term_texts,
            Section::Postings => postings,
        }
    }

    /// Adds the terms of a passage and its titles; returns the number of its words, or nothing if there are too many.
    fn count(&mut self, passage: &str, titles: [&str; 3]) -> Option<u32> {
        let number = self.counts.passages;
        self.counts.passages = number.checked_add(1)?;
        let mut count = 0u64;
        words(passage, |word| {
            self.post(word, number, 1 << 1);
            count += 1;
        });
        titles.into_iter().for_each(|title| words(title, |word| self.post(word, number, 1)));
        self.counts.words += count;
        u32::try_from(count).ok()
    }

    /// The number of a word's term.
    fn term(&mut self, word: &str) -> u32 {
        if let Some(&id) = self.words.get(word) {
            return id;
        }
        let term = self.analyzer.term(word);
        let id = self.term_id(&term);
        self.words.insert(word.into(), id);
        id
    }

    fn term_id(&mut self, term: &str) -> u32 {
        if let Some(&id) = self.terms.get(term) {
            return id;
        }
        let id = self.postings.len() as u32;
        self.terms.insert(term.into(), id);
        self.postings.push(Vec::new());
        id
    }

    /// Adds a word of a passage, or of its title, to what its term has of that passage already.
    fn post(&mut self, word: &str, passage: u32, code: u32) {
        let term = self.term(word);
        let Some(list) = self.postings.get_mut(term as usize) else { return };
        match list.last_mut() {
            Some((last, known)) if *last == passage && code == 1 => *known |= 1,
            Some((last, known)) if *last == passage => *known += code,
            _ => list.push((passage, code)),
        }
    }

    /// Adds the postings of the older index's passages that were kept.
    fn take_postings(&mut self, old: &Index, numbers: &[Option<u32>]) {
        for term in 0..old.terms() {
            let mut id = None;
            for posting in old.postings(term) {
                let Some(Some(number)) = numbers.get(posting.passage as usize) else { continue };
                let id = *id.get_or_insert_with(|| self.term_id(old.term(term)));
                if let Some(list) = self.postings.get_mut(id as usize) {
                    list.push((*number, posting.count << 1 | u32::from(posting.in_title)));
                }
            }
        }
    }

    /// Adds a document whose passages have been added.
    fn document(&mut self, source: &Source<'_>) -> Result<(), Section> {
        let (places, table) = match source.places {
            Places::Text => (1, [].as_slice()),
            Places::Lines(table) => (2, table),
            Places::Pages(table) => (3, table),
        };
        self.part(Section::Text).extend_from_slice(source.text.as_bytes());
        self.part(Section::Names).extend_from_slice(source.name.as_bytes());
        let lines = self.part(Section::Lines);
        table.iter().for_each(|(at, line)| lines.extend([*at, *line].into_iter().flat_map(u32::to_le_bytes)));
        let end = |len: usize, section| u32::try_from(len).map_err(|_| section);
        let record = DocumentRecord {
            text_end: self.part(Section::Text).len() as u64,
            name_end: end(self.part(Section::Names).len(), Section::Names)?,
            lines_end: end(self.part(Section::Lines).len() / 8, Section::Lines)?,
            passages_end: self.counts.passages,
            places,
            modified: source.stamp.modified,
            file_bytes: source.stamp.bytes,
            file_hash: source.stamp.hash,
        };
        record.write(self.part(Section::Documents));
        self.counts.documents = self.counts.documents.checked_add(1).ok_or(Section::Documents)?;
        Ok(())
    }
}

/// Puts postings in the order of their passages: those of an older index come behind those that were added. By merging two
/// runs that are in order, over and over until there is one.
fn in_order(list: &mut Vec<(u32, u32)>) {
    while let Some(end) = list.windows(2).position(|pair| matches!(pair, [a, b] if a > b)) {
        let later = list.split_off(end + 1);
        let cut = later
            .windows(2)
            .position(|pair| matches!(pair, [a, b] if a > b))
            .map_or(later.len(), |at| at + 1);
        let (run, rest) = later.split_at(cut);
        let first = core::mem::replace(list, Vec::with_capacity(end + 1 + later.len()));
        let (mut left, mut right) = (first.iter().peekable(), run.iter().peekable());
        loop {
            let from_left = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a < b,
                (left, _) => left.is_some(),
            };
            match if from_left { left.next() } else { right.next() } {
                Some(posting) => list.push(*posting),
                None => break,
            }
        }
        list.extend_from_slice(rest);
    }
}
