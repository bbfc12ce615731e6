//! Whether the server is there, and whether it takes questions. Neither waits for a session.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::serve::app::App;
use crate::serve::respond::with_json;

/// The state of the server.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok`, or `shutting down`.
    status: &'static str,
}

/// `GET /healthz`: 200 as long as the process works.
pub async fn alive() -> Response {
    with_json(&Health { status: "ok" })
}

/// `GET /readyz`: 200 while questions are taken, 503 on the way to the end.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_draining() {
        let body = with_json(&Health { status: "shutting down" });
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    } else {
        with_json(&Health { status: "ok" })
    }
}
