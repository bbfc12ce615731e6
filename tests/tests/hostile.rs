//! Damaged models: each is refused with an error that names the place, or parses to a model that answers; nothing
//! panics, whatever the bytes are.

use core::ops::Range;

use anyhow::{Context, Result};
use blockspan_engine::format::{ENTRY_LEN, HEADER_LEN, SectionId, section_ids};
use blockspan_engine::{AnswerOptions, Error, Model, ParseError, Session};
use blockspan_tests::hostile::{Bytes, Script, entries, parse_and_answer, seal, section};
use blockspan_tests::random::Random;
use blockspan_tests::smallest::SMALLEST;
use blockspan_tests::{TINY, fixture, packed_tiny};

const QUESTION: &str = "how long is the river ?";
/// More than one window, with characters that the normalizer changes.
const PASSAGE: &str = "the Amazon is 6,400 km long ; Zoë\u{301} was born in Pa\u{327}\u{301}ris 東京 한국 [SEP] in 1998 , \
                       and the tower is of 300 m and the river is in the city of the company of the world .";

/// Parses damaged bytes; a model that comes of it must answer.
fn attempt(bytes: &Bytes) -> Result<(), ParseError> {
    parse_and_answer(bytes.get(), QUESTION, PASSAGE, &options()).map(|_| ())
}

fn options() -> AnswerOptions {
    AnswerOptions { doc_stride: Some(8), ..AnswerOptions::default() }
}

/// A change, undone after the attempt; with the checksums made to fit the change or left as they were.
fn with_change(bytes: &mut Bytes, at: usize, new: &[u8], sealed: bool) -> Result<(), ParseError> {
    let field = at..at + new.len();
    let old = bytes.get()[field.clone()].to_vec();
    bytes.get_mut()[field.clone()].copy_from_slice(new);
    let head = bytes.get()[..head_len(bytes.get())].to_vec();
    if sealed {
        seal(bytes.get_mut());
    }
    let outcome = attempt(bytes);
    bytes.get_mut()[..head.len()].copy_from_slice(&head);
    bytes.get_mut()[field].copy_from_slice(&old);
    outcome
}

/// Header and section table; the table of an undamaged file if the count of sections is damaged.
fn head_len(bytes: &[u8]) -> usize {
    HEADER_LEN + ENTRY_LEN * entries(bytes).count()
}

/// Each section's name and its bytes in the file.
fn sections(bytes: &[u8]) -> Result<Vec<(SectionId, Range<usize>)>> {
    let model = Model::parse(bytes)?;
    let ids = section_ids(model.config().layers).zip(entries(bytes));
    ids.map(|(id, entry)| Ok((id, section(bytes, entry).context("outside the file")?))).collect()
}

/// The bytes of one section.
fn find(bytes: &[u8], name: &str) -> Result<Range<usize>> {
    let mut all = sections(bytes)?.into_iter();
    all.find(|(id, _)| id.to_string() == name).map(|(_, range)| range).with_context(|| name.to_owned())
}

fn tiny(name: &str) -> Result<Bytes> {
    let bytes = Bytes::new(&packed_tiny(name)?);
    attempt(&bytes)?;
    Ok(bytes)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |&word| u32::from_le_bytes(word))
}

/// Where an error says that the damage is.
fn place(error: &ParseError) -> String {
    match error {
        ParseError::Section(id, _) | ParseError::Checksum(id) => id.to_string(),
        _ => "header".to_owned(),
    }
}

#[test]
fn every_byte_of_header_and_table_flipped() -> Result<()> {
    for name in TINY {
        let mut bytes = tiny(name)?;
        let names: Vec<String> = sections(bytes.get())?.iter().map(|(id, _)| id.to_string()).collect();
        for at in 0..head_len(bytes.get()) {
            for flip in [0x01, 0x80, 0xff] {
                let new = [bytes.get()[at] ^ flip];
                let refusal = with_change(&mut bytes, at, &new, false);
                assert!(refusal.is_err(), "{name}: byte {at} may change unnoticed");
                assert_eq!(place(&refusal.unwrap_err()), "header", "{name}: byte {at}");

                // With its checksum made to fit, the header's fields themselves must be refused or work.
                let Err(error) = with_change(&mut bytes, at, &new, true) else { continue };
                assert!(!error.to_string().contains("checksum"), "{name}: byte {at} after sealing: {error}");
                if let Some(entry) = at.checked_sub(HEADER_LEN) {
                    // An entry is refused by its own name or, where it gets in its way, by that of the next.
                    let entry = entry / ENTRY_LEN;
                    let told = place(&error);
                    let near = ["header", &names[entry], names.get(entry + 1).map_or("", |name| name)];
                    assert!(near.contains(&told.as_str()), "{name}: byte {at}, {}: {error}", names[entry]);
                }
            }
        }
        attempt(&bytes)?;
    }
    Ok(())
}

#[test]
fn every_length_changed() -> Result<()> {
    for name in TINY {
        let mut bytes = tiny(name)?;
        // Of the header: lengths, counts and dimensions.
        let mut fields: Vec<(String, usize)> =
            (12..76).step_by(4).map(|at| ("header".to_owned(), at)).collect();
        for ((id, range), entry) in sections(bytes.get())?.into_iter().zip(entries(bytes.get())) {
            let section = id.to_string();
            // Of the table: offset and length, their lower and upper half.
            fields.extend((8..24).step_by(4).map(|at| ("header".to_owned(), entry.start + at)));
            // Of the section: the counts that it begins with.
            let counts = match section.as_str() {
                "vocabulary" | "normalizer" => 4,
                "word_piece_index" => 4,
                _ if Model::parse(bytes.get())?.matrix(id).is_some() => 16,
                _ => 0,
            };
            fields.extend((0..counts).map(|i| (section.clone(), range.start + 4 * i)));
        }
        for (section, at) in fields {
            let old = word(bytes.get(), at);
            let near = [old.wrapping_sub(1), old.wrapping_add(1), old.wrapping_sub(4), old.wrapping_add(4)];
            let far =
                [old / 2, old.wrapping_mul(2), 0, 1, 63, 65_536, 65_540, 1 << 20, 1 << 30, i32::MAX as u32];
            let top = [1 << 31, u32::MAX - 63, u32::MAX];
            for new in near.into_iter().chain(far).chain(top) {
                let outcome = with_change(&mut bytes, at, &new.to_le_bytes(), true);
                if let Err(error) = outcome
                    && section != "header"
                {
                    let told = place(&error);
                    // The WordPiece index and the vocabulary are also checked against each other.
                    let tokenizer = ["vocabulary", "word_piece_index", "normalizer"];
                    let related = tokenizer.contains(&told.as_str()) && tokenizer.contains(&section.as_str());
                    assert!(told == section || related, "{name}: {section} at {at}, {old} to {new}: {error}");
                }
            }
        }
        attempt(&bytes)?;
    }
    Ok(())
}

/// Bytes that belong to no section, each set and the header's checksums made to fit.
#[test]
fn padding_that_is_not_zero() -> Result<()> {
    for name in TINY {
        let mut bytes = tiny(name)?;
        let sections = sections(bytes.get())?;
        let ends = [head_len(bytes.get())].into_iter().chain(sections.iter().map(|(_, range)| range.end));
        let starts = sections.iter().map(|(_, range)| range.start).chain([bytes.get().len()]);
        let mut count = 0;
        for ((end, start), place_after) in ends.zip(starts).collect::<Vec<_>>().into_iter().zip(0..) {
            // The section behind the padding; behind the last one, that one.
            let (id, _) = &sections[usize::min(place_after, sections.len() - 1)];
            for at in end..start {
                let refusal = with_change(&mut bytes, at, &[1], true).expect_err("padding is checked");
                assert_eq!(place(&refusal), id.to_string(), "{name}: byte {at}: {refusal}");
                count += 1;
            }
        }
        // In word embeddings, between the scales and the values.
        let words = find(bytes.get(), "embeddings.word")?;
        let scales = 4 * Model::parse(bytes.get())?.config().vocab;
        for at in words.start + scales..words.start + scales.next_multiple_of(64) {
            let refusal = with_change(&mut bytes, at, &[1], true).expect_err("padding is checked");
            assert_eq!(place(&refusal), "embeddings.word", "{name}: byte {at}: {refusal}");
            count += 1;
        }
        assert!(count > 100, "{name}: {count} bytes of padding");
    }
    Ok(())
}

/// A residual connection that would drop, turn or spoil a feature.
#[test]
fn smoothing_factors_that_are_not_positive() -> Result<()> {
    for name in TINY {
        let mut bytes = tiny(name)?;
        let hidden = Model::parse(bytes.get())?.config().hidden;
        for id in ["embeddings.layer_norm", "layer.0.attention.layer_norm", "layer.1.output.layer_norm"] {
            let norm = find(bytes.get(), id)?;
            assert_eq!(norm.len(), 4 * 3 * hidden, "{name}: {id}");
            for factor in [0.0f32, -0.0, -1.0, f32::NAN, f32::INFINITY] {
                let change = factor.to_le_bytes();
                let refusal =
                    with_change(&mut bytes, norm.end - 4, &change, true).expect_err("it is checked");
                assert_eq!(place(&refusal), id, "{name}: {factor}: {refusal}");
            }
        }
    }
    Ok(())
}

#[test]
fn truncated_anywhere() -> Result<()> {
    for name in TINY {
        let whole = tiny(name)?;
        let len = whole.get().len();
        let last = sections(whole.get())?.last().map_or(0, |(_, range)| range.end);
        for end in (0..1024).chain((1024..len).step_by(1024)).chain(len - 64..len) {
            let mut bytes = Bytes::new(whole.get());
            bytes.truncate(end);
            let error = attempt(&bytes).expect_err("a part of a file is no model");
            assert!(
                matches!(error, ParseError::NotAModel | ParseError::Length { .. }),
                "{name}: {end}: {error}"
            );
            // A file whose header agrees with what is left of it.
            seal(bytes.get_mut());
            match attempt(&bytes) {
                Ok(()) => panic!("{name}: {end} of {len} bytes make a model"),
                Err(ParseError::Section(id, _)) => {
                    let (_, range) =
                        sections(whole.get())?.into_iter().find(|(other, _)| *other == id).unwrap();
                    // The padding behind the last section is a part of the file too.
                    assert!(range.end > end.min(last - 1), "{name}: {end}: {id} is whole");
                }
                Err(error) => assert!(end < head_len(whole.get()), "{name}: {end}: {error}"),
            }
        }
    }
    Ok(())
}

#[test]
fn random_damage_in_every_section() -> Result<()> {
    let mut random = Random::new(0x5eed);
    let (mut parsed, mut refused) = (0, 0);
    for name in TINY {
        let mut bytes = tiny(name)?;
        for (id, range) in sections(bytes.get())? {
            for round in 0..60 {
                // Headers and small arrays lie near the front: half of the damage goes there.
                let reach = if round % 2 == 0 { range.len().min(256) } else { range.len() };
                let at = range.start + random.below(reach);
                let new = [bytes.get()[at] ^ (1 + random.below(255)) as u8];
                assert_eq!(
                    with_change(&mut bytes, at, &new, false),
                    Err(ParseError::Checksum(id)),
                    "{name}: {at}"
                );
                match with_change(&mut bytes, at, &new, true) {
                    Ok(()) => parsed += 1,
                    Err(error) => {
                        refused += 1;
                        let told = place(&error);
                        let tokenizer = ["vocabulary", "word_piece_index", "normalizer"];
                        let of_tokenizer = tokenizer.contains(&told.as_str());
                        assert!(
                            told == id.to_string()
                                || (of_tokenizer && tokenizer.contains(&id.to_string().as_str())),
                            "{name}: {id} at {at}: {error}"
                        );
                    }
                }
            }
        }
    }
    println!("{parsed} parsed and answered, {refused} refused");
    assert!(
        parsed > 100 && refused > 100,
        "the damage is all too light or all too heavy: {parsed}, {refused}"
    );
    Ok(())
}

/// A matrix that names a column more than once could make an accumulator overflow.
#[test]
fn all_blocks_in_one_strip() -> Result<()> {
    for (name, reason) in
        [("output-block", "a strip has more columns"), ("input-block", "a row has more blocks")]
    {
        let mut bytes = tiny(name)?;
        let matrix = find(bytes.get(), "layer.0.intermediate")?;
        let (rows, groups) =
            (word(bytes.get(), matrix.start + 4) as usize, word(bytes.get(), matrix.start + 16));
        let row_sums = matrix.start + 64 + 2 * (4 * rows).next_multiple_of(64);
        let pointers = row_sums + (4 * rows).next_multiple_of(64);
        let (per_strip, sums) = if name == "output-block" { (4, rows / 4) } else { (1, rows) };
        // Everything to the first strip: its sums are the sums of all.
        let mut total = [0i32; 4];
        for row in 0..rows {
            let at = row_sums + 4 * row;
            total[row % per_strip] += word(bytes.get(), at) as i32;
            bytes.get_mut()[at..at + 4].fill(0);
        }
        for (row, sum) in total.iter().take(per_strip).enumerate() {
            bytes.get_mut()[row_sums + 4 * row..][..4].copy_from_slice(&sum.to_le_bytes());
        }
        for strip in 1..=sums {
            bytes.get_mut()[pointers + 4 * strip..][..4].copy_from_slice(&groups.to_le_bytes());
        }
        seal(bytes.get_mut());
        let error = attempt(&bytes).expect_err("more blocks than columns").to_string();
        assert!(error.contains("layer.0.intermediate") && error.contains(reason), "{error}");
    }
    Ok(())
}

#[test]
fn bytes_that_do_not_start_at_a_multiple_of_64() -> Result<()> {
    let whole = tiny("output-block")?;
    let mut shifted = Bytes::new(&[&[0], whole.get()].concat());
    assert_eq!(Model::parse(&shifted.get_mut()[1..]).err(), Some(ParseError::Unaligned));
    Ok(())
}

/// AnswerOptions at the ends of their ranges.
#[test]
fn options_of_any_size() -> Result<()> {
    let bytes = tiny("output-block")?;
    let model = Model::parse(bytes.get())?;
    let mut workspace = vec![0; model.workspace_len(64, 1)];
    let mut session = Session::with(&model, 64, &mut workspace, Default::default())?;
    let sizes = [0, 1, 57, usize::MAX / 2, usize::MAX - 3, usize::MAX];
    for (max_answer_len, n_best) in sizes.into_iter().flat_map(|a| [1, 57, 64].map(|b| (a.max(1), b))) {
        for doc_stride in [None, Some(0), Some(1), Some(60), Some(usize::MAX - 3), Some(usize::MAX)] {
            let options = AnswerOptions { max_answer_len, n_best, doc_stride, ..AnswerOptions::default() };
            match session.answer(QUESTION, PASSAGE, &options, &mut [Default::default(); 2]) {
                Ok(outcome) => assert!(outcome.windows > 0 && doc_stride < Some(60)),
                Err(error) => assert!(
                    matches!(error, Error::QuestionTooLong { .. })
                        && doc_stride.is_none_or(|stride| stride >= 60),
                    "{options:?}: {error}"
                ),
            }
        }
    }
    Ok(())
}

/// They were taken in silence: 0 for "no answer", 1000 for 64, not a number for "no threshold".
#[test]
fn options_out_of_range_are_refused_by_name() -> Result<()> {
    let bytes = tiny("output-block")?;
    let model = Model::parse(bytes.get())?;
    let mut workspace = vec![0; model.workspace_len(64, 1)];
    let mut session = Session::with(&model, 64, &mut workspace, Default::default())?;
    let usual = options();
    for (options, message) in [
        (AnswerOptions { n_best: 0, ..usual }, "n_best must be 1 to 64"),
        (AnswerOptions { n_best: 65, ..usual }, "n_best must be 1 to 64"),
        (AnswerOptions { n_best: 1000, ..usual }, "n_best must be 1 to 64"),
        (AnswerOptions { n_best: usize::MAX, ..usual }, "n_best must be 1 to 64"),
        (AnswerOptions { max_answer_len: 0, ..usual }, "max_answer_len must be at least 1"),
        (AnswerOptions { max_query_length: 0, ..usual }, "max_query_length must be at least 1"),
        (AnswerOptions { null_threshold: f32::NAN, ..usual }, "null_threshold must be a number"),
    ] {
        let error = session.answer(QUESTION, PASSAGE, &options, &mut []).expect_err(message);
        assert!(matches!(error, Error::InvalidOption { .. }) && error.to_string() == message, "{error}");
        assert_eq!(options.check(), Err(error));
    }
    for null_threshold in [f32::NEG_INFINITY, 0.0, f32::INFINITY] {
        session.answer(QUESTION, PASSAGE, &AnswerOptions { null_threshold, ..usual }, &mut [])?;
    }
    Ok(())
}

/// The models of the fuzz targets differ in what makes the engine go other ways, and are small enough to be quick.
#[test]
fn the_smallest_models_answer() -> Result<()> {
    for spec in SMALLEST {
        let bytes = spec.pack()?;
        assert!(*bytes == *spec.pack()?, "{}: another file each time", spec.name);
        assert!(bytes.len() < 36 << 10, "{}: {} bytes", spec.name, bytes.len());
        let bytes = Bytes::new(&bytes);
        let model = Model::parse(bytes.get())?;
        // Every character of the passage leads to tokens, in several windows, and one of them is the answer.
        let (question, passage) =
            ("who sat ?", "The cat sat. 한 東 é b\u{327}\u{301} 1 on the mat, a cat ? - ".repeat(2));
        let mut workspace = vec![0; model.workspace_len(24, 1)];
        let mut session = Session::with(&model, 24, &mut workspace, Default::default())?;
        let outcome = session.answer(question, &passage, &options(), &mut [Default::default(); 2])?;
        assert!(outcome.windows > 2 && outcome.answers > 0, "{}: {outcome:?}", spec.name);
        parse_and_answer(bytes.get(), question, &passage, &options())?;
    }
    Ok(())
}

/// A model that no edit changes is sealed as it was, and one with an edit anywhere as if all of it were sealed anew.
#[test]
fn edits_are_sealed_as_the_whole_file_would_be() -> Result<()> {
    let packed = SMALLEST[0].pack()?;
    let mut script = Script::new(&[0]);
    let mut bytes = Bytes::new(&packed);
    script.edit(&mut bytes);
    assert_eq!(bytes.get(), &*packed);

    let mut random = Random::new(0x5ea1);
    let mut changed = 0;
    for _ in 0..500 {
        let mut data = vec![1 + random.below(3) as u8];
        data.extend((0..24).map(|_| random.below(256) as u8));
        let mut bytes = Bytes::new(&packed);
        Script::new(&data).edit(&mut bytes);
        let mut again = Bytes::new(bytes.get());
        seal(again.get_mut());
        assert_eq!(bytes.get(), again.get(), "{data:?}");
        changed += usize::from(bytes.get() != &*packed);
    }
    assert!(changed > 300, "{changed} changed");
    Ok(())
}

/// What the fuzzer found worth keeping (`fuzz/README.md`).
#[test]
fn the_fuzzers_corpus() -> Result<()> {
    let models = SMALLEST.iter().map(|spec| spec.pack()).collect::<Result<Vec<_>>>()?;
    for target in ["answer", "tokenizer"] {
        let directory = fixture(&format!("../fuzz/corpus/{target}"));
        let mut count = 0;
        for file in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let data = std::fs::read(file?.path())?;
            let mut script = Script::new(&data);
            let mut bytes = Bytes::new(&models[usize::from(script.byte()) % models.len()]);
            script.edit(&mut bytes);
            let options = if target == "answer" { script.options() } else { options() };
            let (question, passage) = script.texts();
            let _ = parse_and_answer(bytes.get(), &question, &passage, &options);
            count += 1;
        }
        assert!(count > 50, "{count} cases in {}", directory.display());
    }
    Ok(())
}
