//! A model that is trusted is the model that is checked; what is checked all the same is refused all the same.

use anyhow::Result;
use blockspan_engine::format::{ENTRY_LEN, HEADER_LEN};
use blockspan_engine::{Answer, AnswerOptions, Model, ParseError, Session, Trusted};
use blockspan_tests::hostile::{Bytes, entries, section};
use blockspan_tests::{TINY, default_model, packed_tiny};

const QUESTION: &str = "how long is the river ?";
const PASSAGE: &str = "the Amazon is 6,400 km long ; Zoë was born in Paris in 1998 .";

/// Answers and logits, in bits.
fn answer(model: &Model<'_>) -> Result<Vec<[u64; 4]>> {
    let mut workspace = vec![0; model.workspace_len(64, 1)];
    let mut session = Session::with(model, 64, &mut workspace, blockspan_engine::Runtime::default())?;
    let mut answers = [Answer::default(); 20];
    let outcome = session.answer(QUESTION, PASSAGE, &AnswerOptions::default(), &mut answers)?;
    let bits =
        |a: &Answer| [a.start as u64, a.end as u64, a.score.to_bits().into(), a.start_logit.to_bits().into()];
    Ok(answers[..outcome.answers].iter().map(bits).collect())
}

#[test]
fn a_trusted_model_answers_as_a_checked_one() -> Result<()> {
    let mut files: Vec<Bytes> = vec![Bytes::new(&default_model()?)];
    for name in TINY {
        files.push(Bytes::new(&packed_tiny(name)?));
    }
    for file in &files {
        let checked = Model::parse(file.get())?;
        // SAFETY: `parse` has just accepted these bytes, and they are not changed below.
        let trusted = Model::parse_trusted(unsafe { Trusted::new(file.get()) })?;
        let answers = answer(&checked)?;
        assert!(!answers.is_empty());
        assert_eq!(answer(&trusted)?, answers);
        assert_eq!((trusted.config(), trusted.metadata()), (checked.config(), checked.metadata()));
    }
    Ok(())
}

/// Parses damaged bytes on trust. No kernel runs on what comes of it.
fn parse_trusted(bytes: &[u8]) -> Result<(), ParseError> {
    // SAFETY: the model is dropped here, so no kernel computes with it; the bytes are borrowed, so nobody changes them.
    Model::parse_trusted(unsafe { Trusted::new(bytes) }).map(|_| ())
}

#[test]
fn header_and_table_are_checked_as_ever() -> Result<()> {
    for name in TINY {
        let mut bytes = Bytes::new(&packed_tiny(name)?);
        let head = HEADER_LEN + ENTRY_LEN * entries(bytes.get()).count();
        for at in 0..head {
            for flip in [0x01, 0x80, 0xff] {
                bytes.get_mut()[at] ^= flip;
                let refusal = Model::parse(bytes.get()).map(|_| ());
                assert!(refusal.is_err());
                assert_eq!(parse_trusted(bytes.get()), refusal, "{name}: byte {at}");
                bytes.get_mut()[at] ^= flip;
            }
        }
        for len in (0..bytes.get().len()).step_by(61) {
            let refusal = parse_trusted(&bytes.get()[..len]);
            assert_eq!(refusal, Model::parse(&bytes.get()[..len]).map(|_| ()), "{name}: {len} bytes");
        }
    }
    Ok(())
}

/// The lengths of a matrix' arrays follow from its header, which is checked; the weights are not read.
#[test]
fn shapes_are_checked_and_contents_are_not() -> Result<()> {
    for name in TINY {
        let mut bytes = Bytes::new(&packed_tiny(name)?);
        let layers = Model::parse(bytes.get())?.config().layers;
        let (mut matrices, mut unread) = (0, 0);
        let table: Vec<_> = entries(bytes.get()).collect();
        for (id, entry) in blockspan_engine::format::section_ids(layers).zip(table) {
            let Some(range) = section(bytes.get(), entry) else { panic!("{name}: {id}") };
            if Model::parse(bytes.get())?.matrix(id).is_none() {
                continue;
            }
            matrices += 1;
            // Pattern, rows, cols, groups; panel_cols and kept_blocks need not show in a length.
            for field in [0, 1, 2, 4] {
                let at = range.start + 4 * field;
                // Fewer than 64 blocks more or less may fit into the zeros behind the arrays.
                for change in if field == 4 { [64, 128] } else { [4, 64] } {
                    bytes.get_mut()[at] ^= change;
                    let refusal = parse_trusted(bytes.get());
                    assert!(
                        matches!(refusal, Err(ParseError::Section(place, _)) if place == id),
                        "{name}: {id}, field {field} ^ {change}: {refusal:?}"
                    );
                    bytes.get_mut()[at] ^= change;
                }
            }
            // A weight that is damaged is found by `parse` only.
            let at = range.end - 64;
            bytes.get_mut()[at] ^= 0x55;
            assert!(Model::parse(bytes.get()).is_err());
            unread += usize::from(parse_trusted(bytes.get()).is_ok());
            bytes.get_mut()[at] ^= 0x55;
        }
        assert!(matrices > 0 && unread == matrices, "{name}: {unread} of {matrices}");
    }
    Ok(())
}
