//! The body of a request: its type, its length, its JSON.

use core::time::Duration;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, ORIGIN};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::app::{App, Room};
use super::errors::{ApiError, Kind};

/// So many times the limit is read and thrown away before an answer of 413: a client that is still sending would not see
/// it, and the connection would be reset.
const DRAINED: usize = 4;

/// All connections together throw away so many bytes,
const DRAINED_AT_ONCE: usize = 64 << 10;
/// and then none for so long: 32 MB a second are a hundredth of a core.
const PAUSE: Duration = Duration::from_millis(2);

/// A request's body, as JSON, and the memory that it takes.
pub struct Input<T>(pub T, pub Room);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        // In a box of its own, which is the same code for every kind of request.
        let (bytes, room) = Box::pin(receive(request, app)).await?;
        Ok(Self(parse(&bytes)?, room))
    }
}

/// The bytes of the body.
async fn receive(request: Request, app: &Arc<App>) -> Result<(Vec<u8>, Room), ApiError> {
    let (head, mut body) = request.into_parts();
    check_type(&head.headers)?;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let too_long = length.is_some_and(|bytes: usize| bytes > app.limits.max_body_bytes);
    if too_long && head.headers.contains_key(EXPECT) {
        // The client waits with the body until it is told to go on.
        return Err(too_large(app));
    }
    let whole = if too_long {
        None
    } else {
        tokio::time::timeout(app.body_timeout, read(app, &mut body)).await.map_err(|_| {
            let seconds = app.body_timeout.as_secs();
            let message = format!("the body took longer than {seconds} s; send it at once");
            ApiError::new(Kind::Timeout, message)
        })??
    };
    let Some((bytes, room)) = whole else {
        let _ = tokio::time::timeout(app.body_timeout, drain(app, body)).await;
        return Err(too_large(app));
    };
    Ok((bytes, room))
}

/// Browsers let any page send what has another type, or none; then they name the page in `Origin`. Clients that are no
/// browsers, Weaviate's among them, may leave the type out.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let named = match headers.get(CONTENT_TYPE) {
        Some(value) => value.to_str().unwrap_or("?"),
        None if !headers.contains_key(ORIGIN) => return Ok(()),
        None => "",
    };
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let found =
        if essence.is_empty() { "no Content-Type".to_owned() } else { format!("Content-Type {essence}") };
    Err(ApiError::new(Kind::UnsupportedMediaType, format!("{found}; send application/json")))
}

/// The body and the memory that it takes; nothing if it is too long.
async fn read(app: &Arc<App>, body: &mut Body) -> Result<Option<(Vec<u8>, Room)>, ApiError> {
    let (mut bytes, mut room) = (Vec::new(), Room::new(Arc::clone(app)));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ApiError::new(Kind::Malformed, "the body ended early; send all of it"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > app.limits.max_body_bytes {
            return Ok(None);
        }
        if !room.grow(data.len()) {
            app.metrics.overloaded.inc();
            let message = "too many long requests at the moment; try again later";
            return Err(ApiError::new(Kind::Overloaded, message));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some((bytes, room)))
}

/// Reads what is left of a body that is too long. What many such clients send takes no core from those that ask: they take
/// turns.
async fn drain(app: &App, mut body: Body) {
    let (mut left, mut since_pause) = (app.limits.max_body_bytes.saturating_mul(DRAINED), 0);
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.into_data().map_or(0, |data| data.len());
        let Some(rest) = left.checked_sub(bytes) else { return };
        left = rest;
        since_pause += bytes;
        if since_pause >= DRAINED_AT_ONCE {
            since_pause = 0;
            let turn = app.drain_turn.lock().await;
            tokio::time::sleep(PAUSE).await;
            drop(turn);
        }
    }
}

fn too_large(app: &App) -> ApiError {
    let most = app.limits.max_body_bytes;
    ApiError::new(
        Kind::TooLarge,
        format!(
            "the body is longer than {most} bytes; split it, or start the server with a larger --max-body-bytes"
        ),
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => ApiError::validation(format!("the body does not fit: {error}")),
        _ if bytes.is_empty() => ApiError::new(Kind::Malformed, "the body is empty; send JSON"),
        _ => ApiError::new(Kind::Malformed, format!("the body is not JSON: {error}; send JSON in UTF-8")),
    })
}
