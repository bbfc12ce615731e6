//! Damaged models with checksums that fit again, and what must hold whatever a model says.
//!
//! The fuzz targets include this file by its path, so that it uses the engine only.

use core::ops::Range;

use blockspan_engine::format::{ENTRY_LEN, HEADER_LEN};
use blockspan_engine::span::MAX_N_BEST;
use blockspan_engine::{Answer, AnswerOptions, Error, Model, ParseError, Runtime, Session, xxh64};

/// Where the header's fields stand that [`seal`] reads or writes.
const SECTION_COUNT_AT: usize = 24;
const CHECKSUM_AT: usize = 120;

/// Bytes that start at a multiple of 64 in memory, as the engine wants them, and may be changed.
pub struct Bytes {
    words: Vec<[u64; 8]>,
    skip: usize,
    len: usize,
}

impl Bytes {
    /// A copy.
    pub fn new(content: &[u8]) -> Self {
        let words = vec![[0u64; 8]; content.len() / 64 + 2];
        let skip = words.as_ptr().addr().wrapping_neg() % 64;
        let mut bytes = Self { words, skip, len: content.len() };
        bytes.get_mut().copy_from_slice(content);
        bytes
    }

    /// The bytes.
    pub fn get(&self) -> &[u8] {
        let all: &[u8] = bytemuck::cast_slice(&self.words);
        &all[self.skip..self.skip + self.len]
    }

    /// The bytes, to be changed.
    pub fn get_mut(&mut self) -> &mut [u8] {
        let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.words);
        &mut all[self.skip..self.skip + self.len]
    }

    /// Leaves the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

/// The entries of the section table, where they stand in the file; as many of them as there is room for.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + use<> {
    let count =
        bytes.get(SECTION_COUNT_AT..).and_then(|b| b.first_chunk()).map_or(0, |&n| u32::from_le_bytes(n));
    let room = bytes.len().saturating_sub(HEADER_LEN) / ENTRY_LEN;
    (0..room.min(count as usize)).map(|i| HEADER_LEN + i * ENTRY_LEN..HEADER_LEN + (i + 1) * ENTRY_LEN)
}

/// The bytes of the section that an entry names, if it lies inside the file.
pub fn section(bytes: &[u8], entry: Range<usize>) -> Option<Range<usize>> {
    let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(entry.start + at..)?.first_chunk()?));
    let (start, len) = (usize::try_from(long(8)?).ok()?, usize::try_from(long(16)?).ok()?);
    let range = start..start.checked_add(len)?;
    bytes.get(range.clone()).map(|_| range)
}

/// Writes the checksums of all sections, of the table and of the header anew, and the length of the file, so that
/// a reader goes on to what the changed bytes mean.
pub fn seal(bytes: &mut [u8]) {
    seal_sections(bytes, |_| true);
}

/// As [`seal`], where only the sections whose number in the table is `stale` have changed.
fn seal_sections(bytes: &mut [u8], stale: impl Fn(usize) -> bool) {
    for (_, entry) in entries(bytes).enumerate().filter(|&(number, _)| stale(number)) {
        let checksum = section(bytes, entry.clone()).and_then(|range| bytes.get(range)).map(xxh64);
        if let (Some(checksum), Some(field)) = (checksum, bytes.get_mut(entry.start + 24..entry.end)) {
            field.copy_from_slice(&checksum.to_le_bytes());
        }
    }
    let len = bytes.len() as u64;
    if let Some(field) = bytes.get_mut(16..24) {
        field.copy_from_slice(&len.to_le_bytes());
    }
    let table = entries(bytes).last().map_or(HEADER_LEN..HEADER_LEN, |last| HEADER_LEN..last.end);
    let (Some(header), Some(table)) = (bytes.get(..CHECKSUM_AT), bytes.get(table)) else { return };
    let checksum = xxh64(header) ^ xxh64(table).rotate_left(1);
    if let Some(field) = bytes.get_mut(CHECKSUM_AT..HEADER_LEN) {
        field.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Parses, and if that goes well answers: neither may panic, and answers must lie in the passage.
///
/// # Errors
/// Why the bytes are no model.
///
/// # Panics
/// When something does not hold.
pub fn parse_and_answer<'a>(
    bytes: &'a [u8],
    question: &str,
    passage: &str,
    options: &AnswerOptions,
) -> Result<Model<'a>, ParseError> {
    let model = Model::parse(bytes)?;
    let config = model.config();
    for text in [question, passage] {
        check_tokens(&model, text);
    }
    // Windows of any size answer; the model's own may be too long for a test's patience.
    let tokens = config.max_seq_len.min(48);
    let mut workspace = vec![0xa5; model.workspace_len(tokens, 1)];
    let mut session = Session::with(&model, tokens, &mut workspace, Runtime::default())
        .expect("a workspace as long as the model says is enough");
    let mut answers = [Answer::default(); 4];
    match session.answer(question, passage, options, &mut answers) {
        Ok(outcome) => {
            assert!(outcome.windows > 0 && outcome.answers <= answers.len());
            assert!(!(outcome.answers > 0 && outcome.null_diff > options.null_threshold), "{outcome:?}");
            answers.iter().take(outcome.answers).for_each(|answer| check_answer(answer, passage));
        }
        Err(Error::Internal) => panic!("internal error"),
        Err(_) => {}
    }
    Ok(model)
}

fn check_answer(answer: &Answer, passage: &str) {
    let text = passage.get(answer.start..answer.end);
    assert!(text.is_some_and(|text| !text.is_empty()), "{answer:?} is no part of the passage");
    // A hostile model's logits may be infinite.
    assert!((0.0..=1.0).contains(&answer.score) || answer.score.is_nan(), "{answer:?} is no probability");
    assert_eq!(answer.start_char, passage[..answer.start].chars().count());
    assert_eq!(answer.end_char, passage[..answer.end].chars().count());
}

/// Tokens lie in the text, in its order, and are tokens that the model has.
///
/// # Panics
/// When something does not hold.
pub fn check_tokens(model: &Model<'_>, text: &str) {
    let mut last = 0;
    for token in model.tokenizer().tokens(text) {
        assert!((token.id as usize) < model.config().vocab, "{token:?}");
        let (start, end) = (token.start as usize, token.end as usize);
        assert!(last <= start && start < end && text.get(start..end).is_some(), "{token:?}, {last}");
        last = start;
    }
}

/// What a fuzzer's bytes say is to be done to a model and asked of it, read from the front:
///
/// | bytes | what |
/// |---|---|
/// | 1 | which model |
/// | 1 | how many edits, modulo 16 |
/// | 8 each | an edit: section, operation, `u16` place, `u32` value |
/// | 5 | max_answer_len, n_best, doc_stride (255 for the model's own), max_query_length (255 for no limit),
/// null_threshold (quarters above -32; 255 for none) |
/// | rest | the question, up to a line's end, and the passage, `LONGEST_TEXT` bytes of each; what is not UTF-8 is replaced |
#[derive(Clone, Copy)]
pub struct Script<'d> {
    rest: &'d [u8],
}

impl<'d> Script<'d> {
    /// A script from the fuzzer's bytes; what is missing at its end is 0.
    pub fn new(data: &'d [u8]) -> Self {
        Self { rest: data }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// The next two bytes.
    pub fn half(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn word(&mut self) -> u32 {
        u32::from(self.half()) | u32::from(self.half()) << 16
    }

    /// Edits the model and seals it; computes anew only the checksums that an edit has spoiled.
    pub fn edit(&mut self, bytes: &mut Bytes) {
        // The numbers of the sections that changed; all of them once the table has.
        let (mut stale, mut all) = (Vec::new(), false);
        let edits = self.byte() % 16;
        if edits == 0 {
            return;
        }
        for _ in 0..edits {
            let (which, operation, place, value) = (self.byte(), self.byte(), self.half(), self.word());
            if operation % 16 == 15 {
                bytes.truncate(value as usize);
                all = true;
            }
            let count = entries(bytes.get()).count();
            // The header and the table stand for one more section.
            let number = usize::from(which) % (count + 1);
            let head = 0..(HEADER_LEN + ENTRY_LEN * count).min(bytes.get().len());
            let range = match entries(bytes.get()).nth(number) {
                Some(entry) => section(bytes.get(), entry),
                None => Some(head),
            };
            all |= number == count;
            stale.push(number);
            if let Some(section) = range.and_then(|range| bytes.get_mut().get_mut(range)) {
                change(section, operation, place, value);
            }
        }
        seal_sections(bytes.get_mut(), |number| all || stale.contains(&number));
    }

    /// How to answer.
    pub fn options(&mut self) -> AnswerOptions {
        let max_answer_len = usize::from(self.byte());
        // Both ends of what is refused; more than that would only say the same.
        let n_best = Some(usize::from(self.byte())).filter(|&n| n <= MAX_N_BEST + 1).unwrap_or(MAX_N_BEST);
        let doc_stride = Some(usize::from(self.byte())).filter(|&tokens| tokens != 255);
        let max_query_length = match self.byte() {
            255 => usize::MAX,
            tokens => usize::from(tokens),
        };
        let null_threshold = match self.byte() {
            255 => f32::INFINITY,
            quarters => f32::from(quarters) / 4.0 - 32.0,
        };
        AnswerOptions { max_answer_len, n_best, null_threshold, max_query_length, doc_stride }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'d [u8] {
        self.rest
    }

    /// The rest: question and passage.
    pub fn texts(self) -> (String, String) {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let (question, passage) = self.rest.split_at(end);
        let text = |bytes| String::from_utf8_lossy(shorten(bytes)).into_owned();
        (text(question), text(passage))
    }
}

/// The most bytes of a text: some windows of the smallest models, so that no case takes long.
pub const LONGEST_TEXT: usize = 96;

/// A text's first bytes.
pub fn shorten(text: &[u8]) -> &[u8] {
    text.get(..LONGEST_TEXT).unwrap_or(text)
}

/// One edit: a byte, half-word or word at a place near the start, near the end or anywhere.
fn change(section: &mut [u8], operation: u8, place: u16, value: u32) {
    let place = usize::from(place);
    let at = match operation % 3 {
        0 => place,
        1 => section.len().saturating_sub(place),
        _ => section.len() * place / (1 << 16),
    };
    let width = [1, 2, 4, 4][usize::from(operation / 4 % 4)];
    let Some(field) = section.get_mut(at..at + width) else { return };
    let mut old = [0; 4];
    old[..width].copy_from_slice(field);
    let old = u32::from_le_bytes(old);
    let new = match operation / 16 % 4 {
        0 => value,
        1 => old ^ value,
        2 => old.wrapping_add(value),
        // Numbers around the limits of the types.
        _ => [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, u32::MAX][(value % 8) as usize],
    };
    field.copy_from_slice(&new.to_le_bytes()[..width]);
}
