//! What a client is told when there is no answer.

use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use blockspan_engine as engine;
use blockspan_reader::Error;
use serde::Serialize;

use crate::answering::Overflow;
use crate::output::json;

/// Why there is no answer; each kind has a status and a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: not HTTP, not JSON.
    Malformed,
    /// 401: no key, or a wrong one.
    Unauthorized,
    /// 404: no such path.
    NotFound,
    /// 405: the path takes another method.
    MethodNotAllowed,
    /// 408: the client took too long to send its request.
    Timeout,
    /// 413: beyond one of the server's limits.
    TooLarge,
    /// 415: not `application/json`.
    UnsupportedMediaType,
    /// 422: JSON that asks for something impossible.
    Validation,
    /// 429: no room at the moment. Never 503 for a question: there are clients that repeat those at once, for ever.
    Overloaded,
    /// 500: a mistake in this program, or a model whose numbers overflow.
    Internal,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::Overloaded,
        Self::Internal,
    ];

    /// The status of the response.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// `error_type` of the body.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Validation => "validation",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }
}

/// A response that is none.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    kind: Kind,
    message: String,
}

/// The body of every error.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Error"))]
pub struct ErrorBody<'a> {
    /// What is wrong, in one line for people.
    error: &'a str,
    /// What kind of mistake it is, for programs: `malformed` (400), `unauthorized` (401), `not_found` (404),
    /// `method_not_allowed` (405), `timeout` (408), `too_large` (413), `unsupported_media_type` (415), `validation`
    /// (422), `overloaded` (429) or `internal` (500).
    error_type: &'static str,
}

impl ApiError {
    /// An error with a message in one line.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// 422: `message` names the field and what it may be.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(Kind::Validation, message)
    }

    /// 413: `found` is more than `most`, which `flag` sets.
    pub fn too_many(what: &str, found: usize, most: usize, flag: &str) -> Self {
        let message = format!(
            "{found} {what}, but at most {most} are taken in a request; split it, or start the server with a larger {flag}"
        );
        Self::new(Kind::TooLarge, message)
    }

    /// 429: all places are taken.
    pub fn overloaded() -> Self {
        Self::new(Kind::Overloaded, "the queue is full; try again later")
    }

    /// 422 or 500, with the place in the request before the reader's words.
    pub fn of_reader(error: &Error, place: &str) -> Self {
        let colon = if place.is_empty() { "" } else { ": " };
        match error {
            Error::Engine(engine::Error::Internal | engine::Error::WorkspaceTooSmall { .. })
            | Error::Panicked(_)
            | Error::Taken => Self::new(Kind::Internal, "internal error; please report it"),
            // Only at the very end, when the wait for open requests was given up.
            Error::Closed => Self::new(Kind::Overloaded, "the server is shutting down; try again later"),
            error => Self::validation(format!("{place}{colon}{error}")),
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The body, without a line end.
    pub fn body(&self) -> String {
        let body = ErrorBody { error: &self.message, error_type: self.kind.name() };
        // Two strings are JSON.
        json::line(&body).unwrap_or_default().trim_end().to_owned()
    }
}

impl From<Overflow> for ApiError {
    fn from(overflow: Overflow) -> Self {
        Self::new(Kind::Internal, overflow.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.kind.status(), [(CONTENT_TYPE, json)], self.body()).into_response();
        let headers = response.headers_mut();
        match self.kind {
            Kind::Overloaded => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))),
            Kind::Unauthorized => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            // What is left of the request is not read.
            Kind::Timeout | Kind::TooLarge => {
                drop(headers.insert(CONNECTION, HeaderValue::from_static("close")))
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiError, Kind};

    #[test]
    fn every_kind_has_a_status_and_a_name_of_its_own() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            for other in &Kind::ALL[..index] {
                assert!(
                    kind.status() != other.status() && kind.name() != other.name(),
                    "{kind:?}, {other:?}"
                );
            }
            assert!(kind.status().is_client_error() || *kind == Kind::Internal);
        }
    }

    #[test]
    fn what_a_client_sent_cannot_steer_a_terminal() {
        let body = ApiError::validation("unknown field `\u{202e}\x1b[31m\"`").body();
        assert_eq!(body, r#"{"error":"unknown field `\u202e\u001b[31m\"`","error_type":"validation"}"#);
    }
}
