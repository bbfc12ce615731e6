//! Every pointer and every number that a C program may get wrong.

use core::ffi::{CStr, c_char};
use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::path::{Path, PathBuf};

use blockspan::*;
use blockspan_engine::{AlignedBytes, xxh64};

/// The default model's file.
fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/default.bspan")
}

/// The default model.
fn open() -> *const Model {
    let path = CString::new(model_path().to_str().unwrap()).unwrap();
    let mut model = null();
    // SAFETY: a C string, and a place for the result.
    let status = unsafe { blockspan_model_open(path.as_ptr(), &mut model, null_mut()) };
    assert_eq!(status, Status::Ok);
    model
}

fn session(model: *const Model, options: &SessionOptions) -> *mut Session {
    let mut session = null_mut();
    // SAFETY: a model that was opened, and a place for the result.
    let status = unsafe { blockspan_session_new(model, options, null_mut(), 0, &mut session, null_mut()) };
    assert_eq!(status, Status::Ok);
    session
}

fn free(model: *const Model, session: *mut Session) {
    // SAFETY: from this library, and not used afterwards.
    unsafe {
        blockspan_session_free(session);
        blockspan_model_free(model);
    }
}

/// Runs a call that fails: its status and its message.
fn refused(call: impl FnOnce(*mut ErrorMessage) -> Status) -> (Status, String) {
    let mut error = ErrorMessage { message: [b'?' as c_char; MESSAGE_LEN] };
    let status = call(&mut error);
    // SAFETY: the library zero-terminates it; if it did not write at all, the last byte is checked first.
    assert_eq!(error.message[MESSAGE_LEN - 1], 0, "the message is not written or not terminated");
    // SAFETY: zero-terminated, as was just checked.
    let message = unsafe { CStr::from_ptr(error.message.as_ptr()) };
    (status, message.to_str().unwrap().to_owned())
}

/// An answer call with all its parts right, to be spoilt one by one.
#[derive(Clone, Copy)]
struct Call {
    session: *const Session,
    question: *const c_char,
    question_len: usize,
    passage: *const c_char,
    passage_len: usize,
    options: *const Options,
    answers: *mut Answer,
    capacity: usize,
    outcome: *mut Outcome,
}

const QUESTION: &str = "How high is the tower?";
const PASSAGE: &str = "The tower is 300 m high. It stands in Paris.";

impl Call {
    fn new(session: *const Session, answers: &mut [Answer], outcome: &mut Outcome) -> Self {
        Self {
            session,
            question: QUESTION.as_ptr().cast(),
            question_len: QUESTION.len(),
            passage: PASSAGE.as_ptr().cast(),
            passage_len: PASSAGE.len(),
            options: null(),
            answers: answers.as_mut_ptr(),
            capacity: answers.len(),
            outcome,
        }
    }

    fn run(&self, error: *mut ErrorMessage) -> Status {
        // SAFETY: each pointer is either what the function asks for or one that it must refuse.
        unsafe {
            blockspan_session_answer(
                self.session,
                self.question,
                self.question_len,
                self.passage,
                self.passage_len,
                self.options,
                self.answers,
                self.capacity,
                self.outcome,
                error,
            )
        }
    }
}

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
