//! `GET /openapi.json`.

use axum::response::Response;

use crate::serve::respond::with_line;

/// Made from the types by a test (`serve/openapi.rs`).
const DOCUMENT: &str = include_str!("../../../openapi.json");

/// The description of the interface.
pub async fn openapi() -> Response {
    with_line(DOCUMENT.to_owned())
}
