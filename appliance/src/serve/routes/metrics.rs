//! `GET /metrics`.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};

use crate::serve::app::App;
use crate::serve::errors::{ApiError, Kind};

/// The figures, in the text format of Prometheus.
pub async fn metrics(
    State(app): State<Arc<App>>,
) -> Result<([(HeaderName, &'static str); 1], String), ApiError> {
    let metrics = &app.metrics;
    let loaded = app.loaded();
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    metrics.waiting.set(whole(loaded.reader().waiting()));
    metrics.sessions.set(whole(loaded.reader().sessions()));
    metrics.in_flight.set(whole(app.in_flight()));
    metrics.loaded.set(loaded.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    let text =
        metrics.text().map_err(|_| ApiError::new(Kind::Internal, "internal error; please report it"))?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
