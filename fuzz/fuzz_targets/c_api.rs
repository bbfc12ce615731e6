//! The C API, as a program would call it that gets lengths, options, texts and order wrong.
#![no_main]

#[path = "../../tests/src/hostile.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod hostile;
#[path = "models.rs"]
mod models;

use core::ffi::CStr;
use core::ptr::{null, null_mut};

use blockspan::*;
use hostile::{Bytes, Script, shorten};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut script = Script::new(data);
    let mut bytes = Bytes::new(models::pick(script.byte()));
    script.edit(&mut bytes);
    let mut error = ErrorMessage { message: [1; MESSAGE_LEN] };
    let mut model = null();
    // A file may start anywhere in memory, and may end early.
    let (skip, cut) = (usize::from(script.byte() == 255), usize::from(script.byte() == 255));
    let file = &bytes.get()[skip.min(bytes.get().len())..];
    // SAFETY: the bytes live until the end of this function, and so do the places for results.
    let status = unsafe {
        blockspan_model_from_bytes(file.as_ptr(), file.len().saturating_sub(cut), &mut model, &mut error)
    };
    assert_eq!(status == Status::Ok, !model.is_null());
    check_message(status, &error);

    let max_seq_len = usize::from(script.byte());
    // Starting a thread takes as long as many cases without.
    let threads = match script.byte() {
        255 => 2,
        254 => MAX_THREADS + 1,
        few => usize::from(few % 2),
    };
    let session_options = SessionOptions { max_seq_len, threads };
    // SAFETY: a model or NULL, and options.
    let needed = unsafe { blockspan_workspace_len(model, &session_options) };
    let own = script.byte();
    let mut workspace = vec![0u8; if own % 2 == 0 { 0 } else { needed + 2 * usize::from(own) }];
    let (at, less) = (usize::from(own / 2), usize::from(script.byte() % 8 * 32));
    let (start, len) = match workspace.get_mut(at..) {
        Some(rest) if !rest.is_empty() => (rest.as_mut_ptr(), rest.len().saturating_sub(less)),
        _ => (null_mut(), 0),
    };
    let mut session = null_mut();
    // SAFETY: a model or NULL, and a workspace that lives until the session is freed.
    let status =
        unsafe { blockspan_session_new(model, &session_options, start, len, &mut session, &mut error) };
    assert_eq!(status == Status::Ok, !session.is_null());
    check_message(status, &error);

    let free_model_first = script.byte() % 2 == 0;
    if free_model_first {
        // SAFETY: not used afterwards.
        unsafe { blockspan_model_free(model) };
    }
    let asked = script.options();
    let options = Options {
        max_answer_len: asked.max_answer_len,
        n_best: asked.n_best,
        max_query_length: asked.max_query_length,
        null_threshold: asked.null_threshold,
        doc_stride: asked.doc_stride.unwrap_or(DOC_STRIDE_OF_MODEL),
    };
    let mut answers = [Answer { end: usize::MAX, ..Answer::default() }; 9];
    let capacity = usize::from(script.byte() % 9);
    // Raw bytes: what is not UTF-8 must be refused.
    let end = script.rest().iter().position(|&byte| byte == b'\n').unwrap_or(script.rest().len());
    let (question, passage) = script.rest().split_at(end);
    let (question, passage) = (shorten(question), shorten(passage));
    let mut outcome = Outcome::default();
    // SAFETY: a session or NULL, texts with their lengths, places for results.
    let status = unsafe {
        blockspan_session_answer(
            session,
            question.as_ptr().cast(),
            question.len(),
            passage.as_ptr().cast(),
            passage.len(),
            if asked.n_best == 7 { null() } else { &options },
            answers.as_mut_ptr(),
            capacity,
            &mut outcome,
            &mut error,
        )
    };
    check_message(status, &error);
    assert_ne!(status, Status::Internal);
    if status == Status::Ok {
        let passage = core::str::from_utf8(passage).expect("other texts are refused");
        assert!(outcome.answers <= capacity);
        for answer in &answers[..outcome.answers] {
            assert!(!passage[answer.start..answer.end].is_empty());
            assert_eq!(passage[..answer.end].chars().count(), answer.end_char);
        }
    }
    assert_eq!(answers[capacity].end, usize::MAX, "written beyond the array");
    // SAFETY: not used afterwards.
    unsafe {
        blockspan_session_free(session);
        if !free_model_first {
            blockspan_model_free(model);
        }
    }
});

/// One line, terminated, and empty exactly after success.
fn check_message(status: Status, error: &ErrorMessage) {
    let bytes = error.message.map(|c| c as u8);
    let message =
        CStr::from_bytes_until_nul(&bytes).expect("it is terminated").to_str().expect("it is UTF-8");
    assert_eq!(message.is_empty(), status == Status::Ok, "{status:?}: {message}");
    assert!(!message.contains('\n'));
}
