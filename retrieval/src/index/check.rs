//! What makes bytes an index.

use core::ops::Range;

use super::Index;
use crate::error::{IndexError, Section};
use crate::format::{DocumentRecord, PassageRecord, TermRecord, u32_at};

/// Checks all sections against each other.
///
/// # Errors
/// The first that does not fit.
pub(super) fn check(index: &Index) -> Result<(), IndexError> {
    let counts = index.counts();
    let records = [
        (Section::Documents, counts.documents, DocumentRecord::LEN),
        (Section::Passages, counts.passages, PassageRecord::LEN),
        (Section::Terms, counts.terms, TermRecord::LEN),
    ];
    for (section, count, len) in records {
        if index.section(section).len() as u64 != u64::from(count) * len as u64 {
            return refuse(section, 0, "its length does not fit the header");
        }
    }
    documents(index)?;
    let words = terms(index)?;
    for (number, found) in (0..).zip(&words) {
        if index.passage_record(number).words != *found {
            return refuse(Section::Passages, u64::from(number), "its postings have another number of words");
        }
    }
    let total: u64 = words.iter().map(|&words| u64::from(words)).sum();
    if total != counts.words {
        return Err(IndexError::Header("words is not the number of all words"));
    }
    Ok(())
}

fn refuse<T>(section: Section, at: u64, reason: &'static str) -> Result<T, IndexError> {
    Err(IndexError::Section { section, at, reason })
}

fn documents(index: &Index) -> Result<(), IndexError> {
    let mut before = DocumentRecord::default();
    let mut last: Option<&str> = None;
    for (at, bytes) in (0u64..).zip(index.section(Section::Documents).chunks_exact(DocumentRecord::LEN)) {
        let record = DocumentRecord::read(bytes);
        let wrong = |reason| refuse(Section::Documents, at, reason);
        if !DocumentRecord::is_clean(bytes) || !(1..=3).contains(&record.places) {
            return wrong("a reserved field is not 0, or places not 1 to 3");
        }
        if record.modified.1 >= 1_000_000_000 {
            return wrong("modified_nanos is a second or more");
        }
        let Some(name) = part(index, Section::Names, u64::from(before.name_end), u64::from(record.name_end))
        else {
            return wrong("name_end is outside of the names, or before the one above");
        };
        let Some(text) = part(index, Section::Text, before.text_end, record.text_end) else {
            return wrong("text_end is outside of the text, or before the one above");
        };
        let lines = 8 * u64::from(before.lines_end)..8 * u64::from(record.lines_end);
        let Some(lines) = part(index, Section::Lines, lines.start, lines.end) else {
            return wrong("lines_end is outside of the lines, or before the one above");
        };
        if record.passages_end < before.passages_end || record.passages_end > index.counts().passages {
            return wrong("passages_end is outside of the passages, or before the one above");
        }
        let name = utf8(name, Section::Names, before.name_end.into())?;
        let text = utf8(text, Section::Text, before.text_end)?;
        if text.len() >= u32::MAX as usize {
            return wrong("its text is longer than 4 GiB");
        }
        let ascends = last.is_none_or(|last| last.split('/').lt(name.split('/')));
        if name.is_empty() || !ascends {
            return refuse(Section::Names, before.name_end.into(), "empty, or not behind the name before it");
        }
        if (record.places == 1) != lines.is_empty() && !text.is_empty() {
            return wrong("it has lines where places is 1, or none where it is not");
        }
        self::lines(lines, text, before.lines_end.into())?;
        passages(index, text, before.passages_end..record.passages_end)?;
        last = Some(name);
        before = record;
    }
    let ends = [
        (Section::Names, u64::from(before.name_end), index.section(Section::Names).len() as u64),
        (Section::Text, before.text_end, index.section(Section::Text).len() as u64),
        (Section::Lines, 8 * u64::from(before.lines_end), index.section(Section::Lines).len() as u64),
        (Section::Passages, before.passages_end.into(), index.counts().passages.into()),
    ];
    match ends.into_iter().find(|(_, end, len)| end != len) {
        Some((section, end, _)) => refuse(section, end, "behind the end of the last document"),
        None => Ok(()),
    }
}

fn lines(bytes: &[u8], text: &str, first: u64) -> Result<(), IndexError> {
    let mut before = None;
    for (at, entry) in (first..).zip(bytes.chunks_exact(8)) {
        let (place, line) = (u32_at(entry, 0), u32_at(entry, 4));
        let ascends = before.is_none_or(|before| before < place);
        if line == 0 || !ascends || !text.is_char_boundary(place as usize) || place as usize >= text.len() {
            return refuse(Section::Lines, at, "line 0, or not a place of the text behind the one before it");
        }
        before = Some(place);
    }
    Ok(())
}

fn passages(index: &Index, text: &str, numbers: Range<u32>) -> Result<(), IndexError> {
    let mut end = 0;
    for number in numbers {
        let record = index.passage_record(number);
        let range = record.start as usize..record.end as usize;
        if range.start < end || range.is_empty() || text.get(range.clone()).is_none() {
            let reason = "not a part of its document's text behind the one before it";
            return refuse(Section::Passages, number.into(), reason);
        }
        // Letters of an alphabet have something between words, and one of a script without spaces is 3 bytes. So the sum of
        // the postings' counts, and each of them, is less than 2³¹, which an update relies on.
        if record.words as usize > range.len().div_ceil(2) {
            return refuse(Section::Passages, number.into(), "more words than there is room for in its text");
        }
        end = range.end;
    }
    Ok(())
}

/// Checks terms and postings; returns the words of each passage.
fn terms(index: &Index) -> Result<Vec<u32>, IndexError> {
    let mut words = vec![0u32; index.passages()];
    let mut before = TermRecord::default();
    let mut last = "";
    for (at, bytes) in (0u64..).zip(index.section(Section::Terms).chunks_exact(TermRecord::LEN)) {
        let record = TermRecord::read(bytes);
        let (start, end) = (u64::from(before.text_end), u64::from(record.text_end));
        let Some(text) = part(index, Section::TermTexts, start, end) else {
            return refuse(Section::Terms, at, "text_end is outside of the texts, or before the one above");
        };
        let text = utf8(text, Section::TermTexts, start)?;
        if text <= last {
            return refuse(Section::TermTexts, start, "empty, or not behind the term before it");
        }
        let Some(bytes) = part(index, Section::Postings, before.postings_end, record.postings_end) else {
            return refuse(
                Section::Terms,
                at,
                "postings_end is outside of the postings, or before the one above",
            );
        };
        let mut found = 0u32;
        let mut postings = super::Postings::new(bytes);
        for posting in postings.by_ref() {
            let slot = words.get_mut(posting.passage as usize);
            let sum = slot.and_then(|slot| slot.checked_add(posting.count).map(|sum| *slot = sum));
            if sum.is_none() {
                let byte = record.postings_end - postings.left() as u64;
                return refuse(Section::Postings, byte, "no such passage, or too many words in it");
            }
            found = found.saturating_add(1);
        }
        if postings.left() > 0 {
            let byte = record.postings_end - postings.left() as u64;
            return refuse(Section::Postings, byte, "not a posting behind the one before it");
        }
        if found != record.passages || found == 0 {
            return refuse(Section::Terms, at, "passages is not the number of its postings, or 0");
        }
        (before, last) = (record, text);
    }
    let ends = [(Section::TermTexts, u64::from(before.text_end)), (Section::Postings, before.postings_end)];
    match ends.into_iter().find(|(section, end)| *end != index.section(*section).len() as u64) {
        Some((section, end)) => refuse(section, end, "behind the end of the last term"),
        None => Ok(words),
    }
}

/// From `start` to `end` of a section, if that is a part of it.
fn part(index: &Index, section: Section, start: u64, end: u64) -> Option<&[u8]> {
    index.section(section).get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

fn utf8(bytes: &[u8], section: Section, start: u64) -> Result<&str, IndexError> {
    core::str::from_utf8(bytes)
        .or_else(|error| refuse(section, start + error.valid_up_to() as u64, "not UTF-8 in itself"))
}
