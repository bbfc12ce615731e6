//! Every pointer and every number that a C program may get wrong.

mod common;

use core::ffi::c_char;
use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::path::Path;

use blockspan::*;
use common::{Call, QUESTION, free, open, refused, session};

#[test]
fn answers_refuse_what_is_wrong() {
    let model = open();
    let session = session(model, &SessionOptions::default());
    let (mut answers, mut outcome) = ([Answer::default(); 3], Outcome::default());
    let call = Call::new(session, &mut answers, &mut outcome);
    let odd = |address: *const u8| address.wrapping_add(1);
    let none = Options { n_best: 0, ..blockspan_options_default() };
    let many = Options { n_best: 65, ..blockspan_options_default() };
    let short = Options { max_answer_len: 0, ..blockspan_options_default() };
    let no_query = Options { max_query_length: 0, ..blockspan_options_default() };
    let no_number = Options { null_threshold: f32::NAN, ..blockspan_options_default() };
    let stride = Options { doc_stride: usize::MAX - 1, ..blockspan_options_default() };
    use Status::*;
    let cases = [
        (Call { session: null(), ..call }, BadPointer, "session is NULL"),
        (Call { session: odd(session.cast()).cast(), ..call }, BadPointer, "session is not aligned"),
        (Call { question: null(), ..call }, BadPointer, "question is NULL"),
        (Call { passage: null(), ..call }, BadPointer, "passage is NULL"),
        (Call { question: null(), question_len: 0, ..call }, EmptyQuestion, "the question is empty"),
        (Call { passage: null(), passage_len: 0, ..call }, EmptyPassage, "the passage is empty"),
        (Call { question_len: usize::MAX, ..call }, InvalidArgument, "question cannot be"),
        (Call { passage_len: 1 << 63, ..call }, InvalidArgument, "passage cannot be"),
        (Call { answers: null_mut(), ..call }, BadPointer, "answers is NULL"),
        (Call { capacity: usize::MAX / 8, ..call }, InvalidArgument, "answers cannot be"),
        (Call { answers: odd(call.answers.cast()) as *mut Answer, ..call }, BadPointer, "answers is not"),
        (Call { outcome: odd(call.outcome.cast()) as *mut Outcome, ..call }, BadPointer, "outcome is not"),
        (Call { options: odd((&raw const none).cast()).cast(), ..call }, BadPointer, "options is not"),
        (Call { options: &none, ..call }, InvalidArgument, "n_best must be 1 to 64"),
        (Call { options: &many, ..call }, InvalidArgument, "n_best must be 1 to 64"),
        (Call { options: &short, ..call }, InvalidArgument, "max_answer_len must be at least 1"),
        (Call { options: &no_query, ..call }, InvalidArgument, "max_query_length must be at least 1"),
        (Call { options: &no_number, ..call }, InvalidArgument, "null_threshold must be a number"),
        (Call { options: &stride, ..call }, QuestionTooLong, "at most 0 fit"),
        (
            Call { question: c"caf\xe9".as_ptr(), question_len: 4, ..call },
            InvalidUtf8,
            "question is not UTF-8 at byte 3",
        ),
        (
            Call { passage: c"\xff".as_ptr(), passage_len: 1, ..call },
            InvalidUtf8,
            "passage is not UTF-8 at byte 0",
        ),
    ];
    for (call, status, text) in cases {
        let (got, message) = refused(|error| call.run(error));
        assert_eq!(got, status, "{text}: {message}");
        assert!(message.contains(text), "{text}: {message}");
        assert_eq!(call.run(null_mut()), status, "without a place for the message: {text}");
    }
    assert_eq!(call.run(null_mut()), Ok, "a refusal leaves the session as it was");
    free(model, session);
}

/// A program that forgot an array was once told about its question, or that a length is too small.
#[test]
fn a_null_pointer_with_a_length_is_what_the_message_is_about() {
    let model = open();
    let session = session(model, &SessionOptions::default());
    let (mut answers, mut outcome) = ([Answer::default(); 3], Outcome::default());
    let call = Call::new(session, &mut answers, &mut outcome);
    let none = Options { n_best: 0, ..blockspan_options_default() };
    // Everything else is wrong too, but a question of spaces has nothing to do with the pointer.
    let spoilt = Call { question: c"   ".as_ptr(), question_len: 3, options: &none, ..call };
    for (call, text) in [
        (Call { answers: null_mut(), ..spoilt }, "answers is NULL"),
        (Call { answers: null_mut(), capacity: usize::MAX, ..spoilt }, "answers is NULL"),
        (Call { passage: null(), ..spoilt }, "passage is NULL"),
        (Call { passage: null(), passage_len: usize::MAX, ..spoilt }, "passage is NULL"),
        (Call { question: null(), question_len: usize::MAX, ..spoilt }, "question is NULL"),
        (Call { outcome: call.outcome.wrapping_byte_add(1), ..spoilt }, "outcome is not aligned"),
    ] {
        let (status, message) = refused(|error| call.run(error));
        assert_eq!(status, Status::BadPointer, "{message}");
        assert!(message.starts_with(text), "{text}: {message}");
    }
    // An array that would wrap around the end of memory.
    let last = core::ptr::without_provenance::<c_char>(usize::MAX - 7);
    let (status, message) = refused(|error| Call { passage: last, ..call }.run(error));
    assert_eq!(
        (status, message.starts_with("passage cannot be")),
        (Status::InvalidArgument, true),
        "{message}"
    );
    free(model, session);
}

#[test]
fn a_handle_is_null_after_any_refusal() {
    let model = open();
    let error = null_mut();
    let stray = model;
    for path in [null(), c"/none".as_ptr(), c"/".as_ptr()] {
        for open in [blockspan_model_open, blockspan_model_read] {
            let mut made = stray;
            // SAFETY: a C string or NULL, and places for the results.
            assert_ne!(unsafe { open(path, &mut made, error) }, Status::Ok);
            assert!(made.is_null());
        }
    }
    let mut made = stray;
    // SAFETY: NULL is refused.
    assert_ne!(unsafe { blockspan_model_from_bytes(null(), 9, &mut made, error) }, Status::Ok);
    assert!(made.is_null());
    let mut made = core::ptr::without_provenance_mut::<Session>(64);
    // SAFETY: NULL is refused.
    let status = unsafe { blockspan_session_new(null(), null(), null_mut(), 0, &mut made, error) };
    assert!(status == Status::BadPointer && made.is_null());
    free(model, null_mut());
}

/// The file of a model that was read may be written to and removed.
#[test]
fn only_regular_files_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), directory.path(), Path::new("/dev/zero")] {
        let name = CString::new(path.to_str().unwrap()).unwrap();
        for open in [blockspan_model_open, blockspan_model_read] {
            let mut model = null();
            // SAFETY: a C string, and places for the results.
            let (status, message) = refused(|error| unsafe { open(name.as_ptr(), &mut model, error) });
            assert_eq!(status, Status::CannotOpen, "{message}");
            assert!(message.ends_with("not a regular file"), "{message}");
        }
    }
}

/// A path may hold anything; a log or a terminal that shows the message must not.
#[test]
fn messages_hold_no_control_characters() {
    let name = c"/no/model\nerror: other\x1b[31m\xc2\x9b";
    let mut model = null();
    // SAFETY: a C string, and places for the results.
    let (status, message) =
        refused(|error| unsafe { blockspan_model_open(name.as_ptr(), &mut model, error) });
    assert_eq!(status, Status::CannotOpen);
    assert!(message.starts_with("/no/model?error: other?[31m?"), "{message:?}");
}

#[test]
fn thresholds_and_limits_to_the_question() {
    let model = open();
    let session = session(model, &SessionOptions::default());
    let (mut answers, mut outcome) = ([Answer::default(); 3], Outcome::default());
    let call = Call::new(session, &mut answers, &mut outcome);
    assert_eq!(call.run(null_mut()), Status::Ok);
    let (null_diff, found) = (outcome.null_diff, outcome.answers);
    assert!(null_diff.is_finite() && found == 3);
    for (null_threshold, expected) in [(null_diff, 3), (null_diff - 1.0, 0), (f32::NEG_INFINITY, 0)] {
        let options = Options { null_threshold, ..blockspan_options_default() };
        assert_eq!(Call { options: &options, ..call }.run(null_mut()), Status::Ok);
        assert_eq!((outcome.answers, outcome.null_diff), (expected, null_diff), "{null_threshold}");
    }
    assert_eq!(answers, [Answer::default(); 3], "what is not written is zero");

    let long = format!("{QUESTION} {}", "and how ".repeat(300));
    let longer = Call { question: long.as_ptr().cast(), question_len: long.len(), ..call };
    assert_eq!(longer.run(null_mut()), Status::QuestionTooLong);
    let options = Options { max_query_length: 6, ..blockspan_options_default() };
    assert_eq!(Call { options: &options, ..longer }.run(null_mut()), Status::Ok);
    // The first six tokens are the whole of QUESTION.
    assert_eq!(outcome.null_diff, null_diff);
    free(model, session);
}

#[test]
fn sessions_refuse_what_is_wrong() {
    let model = open();
    let mut made = null_mut();
    let mut new = |options: *const SessionOptions, workspace: *mut u8, len: usize| {
        // SAFETY: each pointer is either what the function asks for or one that it must refuse.
        refused(|error| unsafe {
            blockspan_session_new(model, options, workspace, len, &raw mut made, error)
        })
    };
    let long = SessionOptions { max_seq_len: 1 << 20, threads: 0 };
    let short = SessionOptions { max_seq_len: 7, threads: 0 };
    let threads = SessionOptions { max_seq_len: 0, threads: MAX_THREADS + 1 };
    let mut bytes = [0u8; 64];
    use Status::*;
    for (got, status, text) in [
        (new(&long, null_mut(), 0), MaxSeqLen, "use 8 to 512"),
        (new(&short, null_mut(), 0), MaxSeqLen, "use 8 to 512"),
        (new(&threads, null_mut(), 0), InvalidArgument, "33 threads do not work here; use 1 to 32"),
        (new(null(), bytes.as_mut_ptr(), 64), WorkspaceTooSmall, "the workspace has 64 bytes"),
        (new(null(), null_mut(), 1 << 40), BadPointer, "workspace is NULL"),
        // This one was once told that 64 bytes are too few.
        (new(null(), null_mut(), 64), BadPointer, "workspace is NULL"),
        (new(&threads, null_mut(), 64), BadPointer, "workspace is NULL"),
        (new(null(), bytes.as_mut_ptr(), 0), WorkspaceTooSmall, "the workspace has 0 bytes"),
        (new(null(), bytes.as_mut_ptr(), usize::MAX), InvalidArgument, "workspace cannot be"),
    ] {
        assert_eq!(got.0, status, "{}", got.1);
        assert!(got.1.contains(text), "{text}: {}", got.1);
    }
    assert!(made.is_null());
    for options in [&long, &short, &threads] {
        // SAFETY: a model that was opened, and options.
        assert_eq!(unsafe { blockspan_workspace_len(model, options) }, 0);
    }
    // SAFETY: pointers that must be refused.
    unsafe {
        assert_eq!(blockspan_workspace_len(null(), null()), 0);
        let status = blockspan_session_new(null(), null(), null_mut(), 0, &mut made, null_mut());
        assert_eq!(status, BadPointer);
        let status = blockspan_session_new(model, null(), null_mut(), 0, null_mut(), null_mut());
        assert_eq!(status, BadPointer);
    }
    free(model, null_mut());
}

#[test]
fn models_refuse_what_is_wrong() {
    // As `bytes` must be aligned to 64.
    #[repr(align(64))]
    struct Aligned([u8; 256]);
    let bytes = Aligned([0x89; 256]);
    let mut model = open();
    free(model, null_mut());
    let from_bytes = |bytes: *const u8, len, model: *mut *const Model| {
        // SAFETY: bytes that live until the end of this test, or pointers that must be refused.
        refused(|error| unsafe { blockspan_model_from_bytes(bytes, len, model, error) })
    };
    let (status, message) = from_bytes(bytes.0.as_ptr(), 256, &mut model);
    assert!(status == Status::InvalidModel && message.contains("wrong magic number"), "{message}");
    assert!(model.is_null(), "after an error there is no model");
    assert_eq!(from_bytes(bytes.0.as_ptr(), 0, &mut model).0, Status::InvalidModel);
    assert_eq!(from_bytes(bytes.0.as_ptr(), usize::MAX, &mut model).0, Status::InvalidArgument);
    assert_eq!(from_bytes(null(), 0, &mut model), (Status::BadPointer, "bytes is NULL".to_owned()));
    assert_eq!(from_bytes(null(), 256, null_mut()), (Status::BadPointer, "model is NULL".to_owned()));
    // SAFETY: pointers that must be refused.
    unsafe {
        assert_eq!(blockspan_model_open(null(), &mut model, null_mut()), Status::BadPointer);
        assert_eq!(blockspan_model_open(c"x".as_ptr(), null_mut(), null_mut()), Status::BadPointer);
        let mut info = core::mem::zeroed::<ModelInfo>();
        assert_eq!(blockspan_model_describe(null(), &mut info, null_mut()), Status::BadPointer);
    }
    let mut trusted = |len| {
        // SAFETY: bytes that live until the end of this test; no kernel runs, since they must be refused.
        refused(|error| unsafe {
            blockspan_model_from_trusted_bytes(bytes.0.as_ptr(), len, &mut model, error)
        })
    };
    assert!(trusted(256).1.contains("wrong magic number"));
    // A long name is cut, and the message still ends with a zero.
    let long = CString::new("é".repeat(1000)).unwrap();
    // SAFETY: a C string, and a place for the result.
    let (status, message) =
        refused(|error| unsafe { blockspan_model_open(long.as_ptr(), &mut model, error) });
    assert_eq!((status, message), (Status::CannotOpen, "é".repeat(127)));
}
