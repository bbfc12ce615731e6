//! The tokenizer: a model whose tokenizer's sections may be edited, and a text.
#![no_main]

#[path = "../../tests/src/hostile.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod hostile;
#[path = "models.rs"]
mod models;

use blockspan_engine::{Error, Model};
use hostile::{Bytes, Script, check_tokens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut script = Script::new(data);
    let mut bytes = Bytes::new(models::pick(script.byte()));
    script.edit(&mut bytes);
    let Ok(model) = Model::parse(bytes.get()) else { return };
    let raw = script.rest();
    match (model.tokenizer().tokens_of_bytes(raw), core::str::from_utf8(raw)) {
        (Ok(tokens), Ok(text)) => assert!(tokens.eq(model.tokenizer().tokens(text))),
        (Err(error), Err(expected)) => {
            assert_eq!(error, Error::InvalidUtf8 { text: "text", byte: expected.valid_up_to() });
        }
        (tokens, text) => panic!("{} and {text:?}", tokens.is_ok()),
    }
    let (first, second) = script.texts();
    check_tokens(&model, &first);
    check_tokens(&model, &second);
    // The text of every token, looked up, is that of a token with the same text.
    let tokenizer = model.tokenizer();
    for token in tokenizer.tokens(&second) {
        if let Some(text) = tokenizer.vocabulary().token(token.id)
            && let Some(id) = tokenizer.id(text)
        {
            assert_eq!(tokenizer.vocabulary().token(id), Some(text));
        }
    }
});
