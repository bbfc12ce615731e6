//! Section tables that were tampered with, all checksums made to fit: refused with the place, or the same table.

use anyhow::{Context, Result};
use blockspan_engine::format::{ENTRY_LEN, HEADER_LEN, SectionId, section_ids};
use blockspan_engine::{AnswerOptions, Model, ParseError, Trusted};
use blockspan_tests::hostile::{Bytes, entries, parse_and_answer, seal};
use blockspan_tests::{TINY, packed_tiny};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// One change of the table or of the header's fields that describe it.
#[derive(Clone, Debug)]
enum Edit {
    /// Exchanges two entries.
    Swap(Index, Index),
    /// Writes one entry over another.
    Copy(Index, Index),
    /// Adds to a `u32` (0 kind, 1 layer) or `u64` (2 offset, 3 length) of an entry.
    Add(Index, u8, i64),
    /// Replaces such a field.
    Set(Index, u8, u64),
    /// Adds to a `u32` of the header from section_count to the last shape.
    Header(u8, i32),
    /// Moves the file's end.
    Resize(i16),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    let near = prop_oneof![-3i64..=3, (-8i64..=8).prop_map(|n| 64 * n), any::<i64>()];
    let far = prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(u64::MAX - 63),
        Just(1 << 63),
        Just(1 << 32),
        any::<u64>(),
        0u64..1 << 18
    ];
    prop_oneof![
        (index(), index()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (index(), index()).prop_map(|(a, b)| Edit::Copy(a, b)),
        (index(), 0u8..4, near).prop_map(|(entry, field, by)| Edit::Add(entry, field, by)),
        (index(), 0u8..4, far).prop_map(|(entry, field, to)| Edit::Set(entry, field, to)),
        (0u8..13, -8i32..=8).prop_map(|(field, by)| Edit::Header(field, by)),
        (-300i16..=300).prop_map(Edit::Resize),
    ]
}

/// Where a field lies in its entry, and its bytes.
const FIELDS: [(usize, usize); 4] = [(0, 4), (4, 4), (8, 8), (16, 8)];

fn apply(edit: &Edit, bytes: &mut Vec<u8>, sections: usize) {
    let at = |index: &Index| HEADER_LEN + ENTRY_LEN * index.index(sections);
    let mut change = |start: usize, width: usize, new: &dyn Fn(u64) -> u64| {
        let Some(field) = bytes.get_mut(start..start + width) else { return };
        let mut long = [0; 8];
        long[..width].copy_from_slice(field);
        field.copy_from_slice(&new(u64::from_le_bytes(long)).to_le_bytes()[..width]);
    };
    match edit {
        Edit::Swap(a, b) => {
            for byte in 0..ENTRY_LEN {
                bytes.swap(at(a) + byte, at(b) + byte);
            }
        }
        Edit::Copy(a, b) => bytes.copy_within(at(a)..at(a) + ENTRY_LEN, at(b)),
        Edit::Add(entry, field, by) => {
            let (offset, width) = FIELDS[usize::from(*field)];
            change(at(entry) + offset, width, &|old| old.wrapping_add_signed(*by));
        }
        Edit::Set(entry, field, to) => {
            let (offset, width) = FIELDS[usize::from(*field)];
            change(at(entry) + offset, width, &|_| *to);
        }
        Edit::Header(field, by) => {
            change(24 + 4 * usize::from(*field), 4, &|old| old.wrapping_add_signed((*by).into()));
        }
        Edit::Resize(by) => {
            let len = bytes.len().saturating_add_signed((*by).into());
            // The table stays whole: a file that ends before its own table is cut short elsewhere.
            bytes.resize(len.max(HEADER_LEN + ENTRY_LEN * sections), 0);
        }
    }
}

/// Kind, layer, offset and length of each entry, without metadata's length: text may end in more zeros or fewer.
fn layout(bytes: &[u8], layers: usize) -> Vec<(SectionId, Vec<u8>)> {
    let fields = entries(bytes).map(|entry| bytes[entry.start..entry.start + 24].to_vec());
    let mut all: Vec<_> = section_ids(layers).zip(fields).collect();
    if let Some((_, metadata)) = all.first_mut() {
        metadata.truncate(16);
    }
    all
}

fn check(original: &[u8], bytes: &[u8], layers: usize) -> Result<(), TestCaseError> {
    let options = AnswerOptions { doc_stride: Some(8), ..AnswerOptions::default() };
    let file = Bytes::new(bytes);
    let parsed = parse_and_answer(file.get(), "how long ?", "the river is 300 m long", &options).map(|_| ());
    // What is checked on trust is part of what is checked in full.
    // SAFETY: the model is dropped here, so no kernel computes with it; the bytes are borrowed, so nobody changes them.
    let trusted = Model::parse_trusted(unsafe { Trusted::new(file.get()) }).map(|_| ());
    prop_assert!(trusted.is_ok() || parsed.is_err(), "{trusted:?}");
    match parsed {
        Ok(()) => prop_assert_eq!(layout(bytes, layers), layout(original, layers)),
        Err(ParseError::NotAModel | ParseError::Version(_) | ParseError::Unaligned) => {
            prop_assert!(false, "{parsed:?}");
        }
        Err(error) => prop_assert!(!error.to_string().contains("checksum"), "{error}"),
    }
    Ok(())
}

#[test]
fn tampered_tables_are_refused_or_the_same() -> Result<()> {
    for name in TINY {
        let original = packed_tiny(name)?.to_vec();
        let layers = Model::parse(Bytes::new(&original).get())?.config().layers;
        let sections = entries(&original).count();
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(400) });
        runner
            .run(&proptest::collection::vec(edit(), 1..4), |edits| {
                let mut bytes = original.clone();
                edits.iter().for_each(|edit| apply(edit, &mut bytes, sections));
                seal(&mut bytes);
                check(&original, &bytes, layers)
            })
            .context(name)?;
    }
    Ok(())
}

/// The reader's own limits, one rule of the format each that only a sealed file can break.
#[test]
fn reserved_fields_and_gaps() -> Result<()> {
    for name in TINY {
        let original = packed_tiny(name)?.to_vec();
        let refusal = |at: usize| {
            let mut bytes = original.clone();
            bytes[at] ^= 1;
            seal(&mut bytes);
            Model::parse(Bytes::new(&bytes).get()).map(|_| ()).map_err(|error| error.to_string())
        };
        for at in 96..120 {
            assert_eq!(
                refusal(at),
                Err("damaged header: reserved bytes are not 0".to_owned()),
                "{name}: {at}"
            );
        }
        let model = Bytes::new(&original);
        let model = Model::parse(model.get())?;
        let mut gaps = 0;
        for entry in model.sections() {
            let Some(matrix) = model.matrix(entry.id) else { continue };
            let start = entry.offset as usize;
            // Behind the scales, where there is a gap: they are the first array.
            let gap = 64 + 4 * matrix.rows()..(64 + 4 * matrix.rows()).next_multiple_of(64);
            for at in gap {
                let expected = format!("invalid section {}: bytes between the arrays are not 0", entry.id);
                assert_eq!(refusal(start + at), Err(expected), "{name}: {at}");
                gaps += 1;
            }
            // The last byte of a section is one of the zeros behind the weights, or a weight.
            assert!(refusal(start + entry.length as usize - 1).is_err());
        }
        assert!(gaps > 0 || name != "cased", "{name}");
    }
    Ok(())
}
