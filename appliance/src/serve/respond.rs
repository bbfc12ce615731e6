//! A response in JSON.

use std::io::{self, Write};

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::errors::{ApiError, Kind};
use crate::output::json;

/// `value` as JSON on one line, as the commands print it.
pub fn with_json(value: &impl Serialize) -> Response {
    json::line(value).map_or_else(|_| internal().into_response(), with_line)
}

/// The same, but not longer than `most` bytes: what a request has once may stand in its response many times, such as the
/// `meta` of a document.
///
/// # Errors
/// 413.
pub fn with_json_of(value: &impl Serialize, most: usize) -> Result<Response, ApiError> {
    let mut measure = Measure { left: most, full: false };
    match serde_json::to_writer(&mut measure, value) {
        Ok(()) => Ok(with_json(value)),
        Err(_) if measure.full => Err(ApiError::new(
            Kind::TooLarge,
            format!(
                "the response would be longer than {most} bytes; ask for fewer answers, or send shorter ids and meta"
            ),
        )),
        Err(_) => Err(internal()),
    }
}

/// JSON that is finished.
pub fn with_line(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

fn internal() -> ApiError {
    ApiError::new(Kind::Internal, "internal error; please report it")
}

/// Counts bytes, and keeps none.
struct Measure {
    left: usize,
    full: bool,
}

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len()) {
            Some(left) => {
                self.left = left;
                Ok(bytes.len())
            }
            None => {
                self.full = true;
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
