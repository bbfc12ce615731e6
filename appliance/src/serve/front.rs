//! What every request passes: its id, the key, the count, the log; and what becomes of a panic.

use core::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::app::{App, InFlight};
use super::errors::{ApiError, Kind};
use super::metrics::Route;
use super::request_id;

/// Answered without a key, too: checks of whether the server is there.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/.well-known/live", "/.well-known/ready"];

/// The layer around all routes.
pub async fn front(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = Route::of(request.method(), path.as_deref());
    let id = request_id::of(request.headers());
    let mut pass = Pass {
        route,
        id: &id,
        method: request.method().to_string(),
        path: path.as_deref().unwrap_or("none"),
        begun: Instant::now(),
        _in_flight: route.asks().then(|| InFlight::new(Arc::clone(&app))),
        app: &app,
        done: false,
    };
    let open = OPEN.contains(&pass.path);
    let mut response = if !open && !app.allows(request.headers()) {
        let message = "a key is needed; send the header Authorization: Bearer KEY";
        ApiError::new(Kind::Unauthorized, message).into_response()
    } else if route.asks() && app.is_draining() {
        let message = "the server is shutting down; try again later";
        ApiError::new(Kind::Overloaded, message).into_response()
    } else {
        // What a handler changes is counters, and what it holds is given back when it is dropped.
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            app.metrics.panics.inc();
            ApiError::new(Kind::Internal, "internal error; please report it").into_response()
        })
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(request_id::HEADER, id);
    }
    if app.is_draining() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    pass.end(response.status().as_str());
    response
}

/// A request on its way; the drop of one that has not ended is a client that left.
struct Pass<'a> {
    app: &'a App,
    route: Route,
    id: &'a str,
    method: String,
    path: &'a str,
    begun: Instant,
    done: bool,
    _in_flight: Option<InFlight>,
}

impl Pass<'_> {
    fn end(&mut self, status: &str) {
        self.done = true;
        let took = self.begun.elapsed();
        self.app.metrics.responded(self.route, status, took);
        let Self { id: request_id, method, path, .. } = &*self;
        let ms = milliseconds(took);
        match status.as_bytes().first() {
            Some(b'5') if *path != "/readyz" => {
                tracing::error!(request_id, method, path, status, ms, "request");
            }
            _ if self.route.asks() => tracing::info!(request_id, method, path, status, ms, "request"),
            _ => tracing::debug!(request_id, method, path, status, ms, "request"),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.app.metrics.canceled.inc();
            let Self { id: request_id, method, path, .. } = &*self;
            tracing::info!(request_id, method, path, ms = milliseconds(self.begun.elapsed()), "client left");
        }
    }
}

/// To the microsecond.
fn milliseconds(took: core::time::Duration) -> f64 {
    took.as_micros() as f64 / 1e3
}
