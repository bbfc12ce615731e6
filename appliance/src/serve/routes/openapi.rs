//! `GET /openapi.json`.

use axum::response::Response;

use crate::serve::respond::with_line;

/// Made from the types by a test (`serve/openapi.rs`); here without white space (build.rs).
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The description of the interface.
pub async fn openapi() -> Response {
    with_line(DOCUMENT.to_owned())
}
