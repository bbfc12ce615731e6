//! Parse and answer: a tiny model with edits, its checksums made to fit, and a question.
#![no_main]

#[path = "../../tests/src/hostile.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod hostile;
#[path = "models.rs"]
mod models;

use hostile::{Bytes, Script, parse_and_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut script = Script::new(data);
    let mut bytes = Bytes::new(models::pick(script.byte()));
    script.edit(&mut bytes);
    let options = script.options();
    let (question, passage) = script.texts();
    // An error is as good as a model.
    let _ = parse_and_answer(bytes.get(), &question, &passage, &options);
});
