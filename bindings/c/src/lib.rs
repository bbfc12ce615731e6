//! The engine for C programs: `include/blockspan.h` is made from this crate.
//!
//! This is a boundary, and `unsafe` is confined to it: pointers are checked (for NULL, alignment and impossible
//! lengths) and turned into references and slices at once; what cannot be checked is the caller's part and is
//! stated under *Safety* of each function. Everything behind the boundary is the safe API of `blockspan-engine`.
//! No panic crosses it: each body runs under `catch_unwind`.

mod answer;
mod call;
mod failure;
mod memory;
mod model;
mod pointers;
mod session;
mod status;
mod version;

pub use answer::{
    Answer, DOC_STRIDE_OF_MODEL, Options, Outcome, blockspan_options_default, blockspan_session_answer,
};
pub use model::{
    Model, ModelInfo, blockspan_model_answerable, blockspan_model_describe, blockspan_model_free,
    blockspan_model_from_bytes, blockspan_model_from_trusted_bytes, blockspan_model_null_threshold,
    blockspan_model_open, blockspan_model_read,
};
pub use session::{
    MAX_THREADS, Session, SessionOptions, blockspan_session_free, blockspan_session_new,
    blockspan_workspace_len,
};
pub use status::{ErrorMessage, MESSAGE_LEN, Status, blockspan_error_message};
pub use version::blockspan_version;

/// The header promises that threads share models, and that a session refuses a second thread.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Model>();
    shared::<Session>();
};
