//! The library as a C program calls it, with the default model.

#![allow(dead_code, reason = "each test includes this file and uses what it needs")]

use core::ffi::{CStr, c_char};
use core::ptr::{null, null_mut};
use std::ffi::CString;
use std::path::{Path, PathBuf};

use blockspan::*;

/// The default model's file.
pub fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/default.bspan")
}

/// The default model.
pub fn open() -> *const Model {
    let path = CString::new(model_path().to_str().unwrap()).unwrap();
    let mut model = null();
    // SAFETY: a C string, and a place for the result.
    let status = unsafe { blockspan_model_open(path.as_ptr(), &mut model, null_mut()) };
    assert_eq!(status, Status::Ok);
    model
}

pub fn session(model: *const Model, options: &SessionOptions) -> *mut Session {
    let mut session = null_mut();
    // SAFETY: a model that was opened, and a place for the result.
    let status = unsafe { blockspan_session_new(model, options, null_mut(), 0, &mut session, null_mut()) };
    assert_eq!(status, Status::Ok);
    session
}

pub fn free(model: *const Model, session: *mut Session) {
    // SAFETY: from this library, and not used afterwards.
    unsafe {
        blockspan_session_free(session);
        blockspan_model_free(model);
    }
}

/// Runs a call that fails: its status and its message.
pub fn refused(call: impl FnOnce(*mut ErrorMessage) -> Status) -> (Status, String) {
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
pub struct Call {
    pub session: *const Session,
    pub question: *const c_char,
    pub question_len: usize,
    pub passage: *const c_char,
    pub passage_len: usize,
    pub options: *const Options,
    pub answers: *mut Answer,
    pub capacity: usize,
    pub outcome: *mut Outcome,
}

pub const QUESTION: &str = "How high is the tower?";
pub const PASSAGE: &str = "The tower is 300 m high. It stands in Paris.";

impl Call {
    pub fn new(session: *const Session, answers: &mut [Answer], outcome: &mut Outcome) -> Self {
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

    pub fn run(&self, error: *mut ErrorMessage) -> Status {
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
