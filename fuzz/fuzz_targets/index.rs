//! The reader of indexes: bytes that may be one, whose checksums fit, then everything that a program asks of it.
//!
//! The first byte chooses where the file comes from:
//!
//! * an index that the builder made, with edits: `u8` how many, modulo 16; of each `u8` section (8 for the header and the
//!   table), `u8` operation, `u16` place, `u32` value;
//! * sections from the input, of each `u16` length and its bytes, behind a header and a table that fit them: so that whole
//!   sections grow and shrink, which edits of a file in which everything has its place cannot do. Unless the byte before them
//!   is odd, the numbers of words are made to fit the postings, which no fuzzer would guess;
//! * the input as it is, with nothing made to fit.
//!
//! The first line of what is left is the question.
#![no_main]

#[path = "../../retrieval/tests/index/common.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod common;

use std::sync::LazyLock;

use blockspan_retrieval::{Builder, Index, MAGIC, SearchOptions, VERSION, sentences};
use common::{HEADER, SOURCES, TABLE, build, mend, section};
use libfuzzer_sys::fuzz_target;

/// Bytes of a record of documents, passages and terms, and their sections.
const RECORDS: [(usize, usize); 3] = [(0, 56), (3, 12), (5, 16)];

/// An index of some documents, and one of none.
static BUILT: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [build(&SOURCES), build(&[])]);

fuzz_target!(|data: &[u8]| {
    let mut script = Script(data);
    let file = match script.byte() % 4 {
        0 => edited(&mut script, &BUILT[0]),
        1 => edited(&mut script, &BUILT[1]),
        2 => assembled(&mut script),
        _ => core::mem::take(&mut script.0).to_vec(),
    };
    let Ok(index) = Index::new(file) else { return };
    let end = script.0.iter().position(|&byte| byte == b'\n').unwrap_or(script.0.len());
    let question = String::from_utf8_lossy(&script.0[..end]);
    read_all(&index);
    search(&index, &question);
    update(&index);
});

/// Reads the input from the front; what is missing at its end is 0.
struct Script<'d>(&'d [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn half(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}

/// An index with edits, its checksums made to fit.
fn edited(script: &mut Script<'_>, built: &[u8]) -> Vec<u8> {
    let mut file = built.to_vec();
    for _ in 0..script.byte() % 16 {
        let (which, operation) = (usize::from(script.byte()) % 9, script.byte());
        let (place, value) = (script.half(), script.word());
        let range = if which == 8 { 0..TABLE } else { section(&file, which + 1) };
        let Some(part) = file.get_mut(range) else { continue };
        let at = if operation % 2 == 0 { place } else { part.len().saturating_sub(place) };
        let width = [1, 2, 4, 8][usize::from(operation / 2 % 4)];
        let Some(field) = part.get_mut(at..at + width) else { continue };
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(field);
        let old = u64::from_le_bytes(bytes);
        let new = match operation / 8 % 4 {
            0 => value.into(),
            1 => old ^ u64::from(value),
            2 => old.wrapping_add_signed(value.cast_signed().into()),
            // Numbers around the limits of the types.
            _ => [0, 1, 0x7f, 0x80, 0xffff, u32::MAX.into(), 1 << 33, u64::MAX][value as usize % 8],
        };
        field.copy_from_slice(&new.to_le_bytes()[..width]);
    }
    mend(&mut file);
    file
}

/// A file with sections from the input, each where it should be.
fn assembled(script: &mut Script<'_>) -> Vec<u8> {
    let count = script.byte() % 2 == 0;
    let mut file = vec![0; TABLE];
    let mut lens = [0; 8];
    for (number, slot) in lens.iter_mut().enumerate() {
        let (content, rest) = script.0.split_at(script.half().min(script.0.len()));
        script.0 = rest;
        let entry = HEADER + 32 * number;
        *slot = content.len();
        put(&mut file, entry, &(number as u32 + 1).to_le_bytes());
        let start = file.len() as u64;
        put(&mut file, entry + 8, &start.to_le_bytes());
        put(&mut file, entry + 16, &(content.len() as u64).to_le_bytes());
        file.extend_from_slice(content);
        file.resize(file.len().next_multiple_of(8), 0);
    }
    put(&mut file, 0, &MAGIC);
    for (at, value) in [(8, VERSION), (12, HEADER as u32), (24, 8), (28, 1)] {
        put(&mut file, at, &value.to_le_bytes());
    }
    for (at, (number, len)) in [32, 36, 40].into_iter().zip(RECORDS) {
        put(&mut file, at, &((lens[number] / len) as u32).to_le_bytes());
    }
    let len = file.len() as u64;
    put(&mut file, 16, &len.to_le_bytes());
    if count {
        let words = count_words(&mut file);
        put(&mut file, 64, &words.to_le_bytes());
    }
    mend(&mut file);
    file
}

/// Writes the number of words of each passage, as far as its postings make sense, and returns their sum.
fn count_words(file: &mut [u8]) -> u64 {
    let (passages, terms, postings) = (section(file, 4), section(file, 6), section(file, 8));
    let mut words = vec![0u32; passages.len() / 12];
    let mut rest = &file[postings];
    let mut start = 0;
    for term in file[terms].chunks_exact(16) {
        let end = u64::from_le_bytes(*term.first_chunk().expect("16 bytes"));
        let len = end.saturating_sub(start).min(rest.len() as u64) as usize;
        let (mut own, behind) = rest.split_at(len);
        (rest, start) = (behind, end);
        let mut passage = 0u64;
        while let Some(first) = number(&mut own) {
            passage = passage.wrapping_add(first >> 1);
            let count = if first % 2 == 0 { 1 } else { number(&mut own).unwrap_or(0) >> 1 };
            if let Some(slot) = words.get_mut(passage as usize) {
                *slot = slot.wrapping_add(count as u32);
            }
        }
    }
    for (record, count) in file[passages].chunks_exact_mut(12).zip(&words) {
        record[8..].copy_from_slice(&count.to_le_bytes());
    }
    words.iter().map(|&words| u64::from(words)).sum()
}

/// The next number of postings.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let len = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).filter(|&len| len < 8)?;
    let (own, rest) = bytes.split_at(len);
    *bytes = rest;
    Some(own.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Every document, passage and place is there, and in order.
fn read_all(index: &Index) {
    let mut passages = 0;
    for number in 0..index.documents() {
        let document = index.document(number).expect("a document");
        assert_eq!(index.find_document(document.name), Some(number));
        assert_eq!(document.passages.start, passages);
        passages = document.passages.end;
        let lines: Vec<(u32, u32)> = document.lines().collect();
        assert!(lines.is_sorted_by(|a, b| a.0 < b.0));
        for at in [0, 1, document.text.len() / 2, document.text.len(), usize::MAX] {
            let line = document.line_at(at);
            assert!(line > 0);
            assert!(lines.is_empty() || line == 1 || lines.iter().any(|entry| entry.1 == line));
        }
        let mut end = 0;
        for number in document.passages.clone() {
            let passage = index.passage(number).expect("a passage");
            assert!(passage.start >= end && !passage.text.is_empty());
            end = passage.start + passage.text.len();
            assert_eq!(&document.text[passage.start..end], passage.text);
            let sentence = sentences::around(document.text, passage.start..end);
            assert!(document.text.get(sentence).is_some());
        }
    }
    assert_eq!(passages as usize, index.passages());
    assert!(index.document(index.documents()).is_none() && index.passage(passages).is_none());
}

fn search(index: &Index, question: &str) {
    for passages in [1, 20] {
        let hits = index.search(question, &SearchOptions { passages, ..SearchOptions::default() });
        assert!(hits.len() <= passages && hits.is_sorted_by(|a, b| a.score >= b.score));
        for hit in &hits {
            assert!(hit.score.is_finite() && hit.score > 0.0);
            let text = index.passage(hit.passage).expect("a passage").text;
            for &copy in &hit.copies {
                assert_eq!(index.passage(copy).expect("a passage").text, text);
            }
        }
    }
}

/// What is kept of an index that was taken is an index, with every second document and with all: then it walks all postings.
fn update(index: &Index) {
    for step in [1, 2] {
        let mut builder = Builder::updating(index, index.written());
        for number in (0..index.documents()).step_by(step) {
            builder.keep(number).expect("it fits");
        }
        let kept = Index::new(builder.finish().expect("it fits"))
            .unwrap_or_else(|error| panic!("what was kept is no index: {error}"));
        assert_eq!(kept.documents(), index.documents().div_ceil(step));
        if step == 1 {
            assert_eq!(kept.bytes(), index.bytes(), "kept as a whole it is the same");
        }
    }
}
