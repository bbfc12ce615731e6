//! A response in JSON.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::errors::{ApiError, Kind};
use crate::output::json;

/// `value` as JSON on one line, as the commands print it.
pub fn with_json(value: &impl Serialize) -> Response {
    match json::line(value) {
        Ok(line) => with_line(line),
        Err(_) => ApiError::new(Kind::Internal, "internal error; please report it").into_response(),
    }
}

/// JSON that is finished.
pub fn with_line(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}
