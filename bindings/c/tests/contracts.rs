//! What the header promises of calls that are right: lifetimes, threads, thresholds, texts.

mod common;

use core::ffi::CStr;
use core::ptr::{null, null_mut};
use std::ffi::CString;

use blockspan::*;
use blockspan_engine::{AlignedBytes, xxh64};
use common::{Call, PASSAGE, free, model_path, open, session};

#[test]
fn a_model_that_was_read_has_nothing_to_do_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.bspan");
    std::fs::copy(model_path(), &path).unwrap();
    let name = CString::new(path.to_str().unwrap()).unwrap();
    let mut model = null();
    // SAFETY: a C string, and a place for the result.
    let status = unsafe { blockspan_model_read(name.as_ptr(), &mut model, null_mut()) };
    assert_eq!(status, Status::Ok);
    let ask = |model| {
        let session = session(model, &SessionOptions::default());
        let (mut answers, mut outcome) = ([Answer::default(); 3], Outcome::default());
        assert_eq!(Call::new(session, &mut answers, &mut outcome).run(null_mut()), Status::Ok);
        free(null(), session);
        (answers, outcome)
    };
    let before = ask(model);
    // In place, as `cp` does it.
    std::fs::write(&path, b"something else").unwrap();
    assert_eq!(ask(model), before);
    free(model, null_mut());
    let mapped = open();
    assert_eq!(ask(mapped), before);
    free(mapped, null_mut());
}

/// Opening a pipe once waited for its other end.
#[cfg(unix)]
#[test]
fn what_is_not_wanted_may_be_left_out() {
    let model = open();
    let session = session(model, &SessionOptions { max_seq_len: 0, threads: 3 });
    let (mut answers, mut outcome) = ([Answer { end: 7, ..Answer::default() }; 100], Outcome::default());
    let call = Call::new(session, &mut answers, &mut outcome);
    assert_eq!(call.run(null_mut()), Status::Ok);
    assert!(outcome.answers > 1 && outcome.answers <= 20 && outcome.windows == 1);
    assert!(PASSAGE.get(answers[0].start..answers[0].end).is_some());
    assert!(answers[..outcome.answers].iter().all(|answer| answer.end > answer.start));
    assert!(answers[outcome.answers..].iter().all(|answer| *answer == Answer::default()));
    let best = answers[0];

    assert_eq!(Call { outcome: null_mut(), capacity: 1, ..call }.run(null_mut()), Status::Ok);
    assert_eq!(answers[0], best);
    assert_eq!(Call { answers: null_mut(), capacity: 0, ..call }.run(null_mut()), Status::Ok);
    assert_eq!(outcome.answers, 0);
    free(model, session);
}

/// Options reach the engine.
/// The default model's bytes with other metadata.
fn with_metadata(metadata: &str) -> AlignedBytes {
    let mut file = std::fs::read(model_path()).unwrap();
    let long = |file: &[u8], at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let set = |file: &mut [u8], at: usize, value: u64| file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    let count = u32::from_le_bytes(file[24..28].try_into().unwrap()) as usize;
    // Metadata is the first section; the others move.
    let entry = |section: usize| 128 + 32 * section;
    let (start, end) = (long(&file, entry(0) + 8) as usize, long(&file, entry(1) + 8) as usize);
    let mut padded = metadata.as_bytes().to_vec();
    padded.resize(metadata.len().next_multiple_of(64), 0);
    let shift = padded.len().wrapping_sub(end - start) as u64;
    file.splice(start..end, padded);
    set(&mut file, entry(0) + 16, metadata.len() as u64);
    set(&mut file, entry(0) + 24, xxh64(metadata.as_bytes()));
    for at in (1..count).map(|section| entry(section) + 8) {
        let offset = long(&file, at).wrapping_add(shift);
        set(&mut file, at, offset);
    }
    let len = file.len() as u64;
    set(&mut file, 16, len);
    let sum = xxh64(&file[..120]) ^ xxh64(&file[128..entry(count)]).rotate_left(1);
    set(&mut file, 120, sum);
    AlignedBytes::from(file)
}

#[test]
fn a_model_tells_its_threshold_and_its_probability() {
    let recommended = |bytes: &AlignedBytes| {
        let mut model = null();
        // SAFETY: bytes that outlive the model, and a place for the result.
        let status =
            unsafe { blockspan_model_from_bytes(bytes.as_ptr(), bytes.len(), &mut model, null_mut()) };
        assert_eq!(status, Status::Ok);
        // SAFETY: a model that is not freed yet.
        let found =
            unsafe { (blockspan_model_null_threshold(model), blockspan_model_answerable(model, 2.0)) };
        free(model, null_mut());
        found
    };
    let all = with_metadata("null_threshold: -1.5\nanswerable_slope: -0.5\nanswerable_intercept: 1\n");
    assert_eq!(recommended(&all), (-1.5, 0.5));
    let (threshold, probability) = recommended(&with_metadata("f1: 80\n"));
    assert!(threshold == f32::INFINITY && probability.is_nan());
    // SAFETY: NULL is allowed.
    let (threshold, probability) =
        unsafe { (blockspan_model_null_threshold(null()), blockspan_model_answerable(null(), 2.0)) };
    assert!(threshold == f32::INFINITY && probability.is_nan());
}

#[test]
fn a_session_outlives_the_model_that_it_was_made_of() {
    let model = open();
    let mut info =
        ModelInfo { hidden: 0, layers: 0, vocab: 0, max_positions: 0, max_seq_len: 0, doc_stride: 0 };
    // SAFETY: a model that was opened, and a place for the result.
    assert_eq!(unsafe { blockspan_model_describe(model, &mut info, null_mut()) }, Status::Ok);
    let file = AlignedBytes::read_file(model_path()).unwrap();
    let config = *blockspan_engine::Model::parse(&file).unwrap().config();
    let described =
        [info.hidden, info.layers, info.vocab, info.max_positions, info.max_seq_len, info.doc_stride];
    let expected = [
        config.hidden,
        config.layers,
        config.vocab,
        config.max_positions,
        config.max_seq_len,
        config.doc_stride,
    ];
    assert_eq!(described, expected);
    // A window shorter than the model's doc_stride still moves on.
    let session = session(model, &SessionOptions { max_seq_len: 64, threads: 2 });
    free(model, null_mut());
    let (mut answers, mut outcome) = ([Answer::default()], Outcome::default());
    assert_eq!(Call::new(session, &mut answers, &mut outcome).run(null_mut()), Status::Ok);
    assert!(outcome.answers == 1 && answers[0].end > answers[0].start);
    free(null(), session);
}

#[test]
fn a_session_in_use_says_so() {
    struct Shared(*const Session);
    // SAFETY: the library promises to refuse a second thread.
    unsafe impl Sync for Shared {}
    let model = open();
    let shared = Shared(session(model, &SessionOptions::default()));
    let long = PASSAGE.repeat(200);
    let statuses = std::thread::scope(|scope| {
        let ask = || {
            let shared = &shared;
            let (mut answers, mut outcome) = ([Answer::default()], Outcome::default());
            let call = Call::new(shared.0, &mut answers, &mut outcome);
            Call { passage: long.as_ptr().cast(), passage_len: long.len(), ..call }.run(null_mut())
        };
        let threads = [(); 4].map(|()| scope.spawn(ask));
        threads.map(|thread| thread.join().unwrap())
    });
    // How many overlap is the scheduler's choice; one at least is answered and nothing else happens.
    assert!(statuses.contains(&Status::Ok), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, Status::Ok | Status::Busy)), "{statuses:?}");
    free(model, shared.0.cast_mut());
}

#[test]
fn every_status_has_its_text() {
    let text = |status: i32| {
        // SAFETY: static and zero-terminated.
        unsafe { CStr::from_ptr(blockspan_error_message(status)) }.to_str().unwrap()
    };
    let texts: Vec<&str> = (0..15).map(text).collect();
    assert_eq!(texts[Status::Internal as usize], "internal error, please report it");
    assert!(texts.iter().all(|&text| text != "unknown status"));
    assert!(texts.iter().enumerate().all(|(i, text)| !texts[..i].contains(text)));
    for unknown in [-1, 15, i32::MIN, i32::MAX] {
        assert_eq!(text(unknown), "unknown status");
    }
    // SAFETY: static and zero-terminated.
    let version = unsafe { CStr::from_ptr(blockspan_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_trusted_model_is_the_same_model() {
    let file = AlignedBytes::read_file(model_path()).unwrap();
    let mut model = null();
    let mut info =
        ModelInfo { hidden: 0, layers: 0, vocab: 0, max_positions: 0, max_seq_len: 0, doc_stride: 0 };
    // SAFETY: the committed model, which `open` accepts below; it is mapped until the end of this test.
    let status =
        unsafe { blockspan_model_from_trusted_bytes(file.as_ptr(), file.len(), &mut model, null_mut()) };
    assert_eq!(status, Status::Ok);
    let opened = open();
    let mut expected = info;
    // SAFETY: models that were opened, and places for the results.
    unsafe {
        assert_eq!(blockspan_model_describe(model, &mut info, null_mut()), Status::Ok);
        assert_eq!(blockspan_model_describe(opened, &mut expected, null_mut()), Status::Ok);
    }
    assert_eq!(info, expected);
    assert!(info.layers > 0);
    free(opened, null_mut());
    free(model, null_mut());
}
