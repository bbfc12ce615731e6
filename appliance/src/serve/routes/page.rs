//! The page for browsers: `GET /`, its files, and the model that it asks.

use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::missing::nothing;
use crate::serve::app::App;
use crate::serve::errors::{ApiError, Kind};
use crate::serve::respond::with_json;

/// The files of the page's folder, each under its path there; the model is not among them.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What `files.js` says of the page; it is `self.PAGE = {…};`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// Changes with any file.
    version: String,
    content_security_policy: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    #[serde(rename = "type")]
    content_type: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let text = content("files.js").and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default();
    let json = text.trim().strip_prefix("self.PAGE = ").and_then(|rest| rest.strip_suffix(';'));
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
});

/// What the page reads to find the model, and to keep it.
#[derive(Serialize)]
struct About {
    url: &'static str,
    sha256: String,
    bytes: usize,
    name: String,
}

fn content(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(name, _)| *name == path).map(|&(_, bytes)| bytes)
}

/// `GET /`: the page.
pub async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers).unwrap_or_else(|| nothing(&Uri::from_static("/")).into_response())
}

/// A file of the page, or its model.
pub async fn other(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let found = match path {
        _ if method != Method::GET && method != Method::HEAD => None,
        "model.json" => Some(about(&app).await),
        "model.bspan" => Some(model(&app, &headers).await),
        path => file(path, &headers),
    };
    found.unwrap_or_else(|| nothing(&uri).into_response())
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let page = &*PAGE;
    let file = page.files.iter().find(|file| file.path == path)?;
    let body = Bytes::from_static(content(path)?);
    let mut response = tagged(&page.version, headers, body.into(), &file.content_type);
    let more = response.headers_mut();
    let policy = HeaderValue::from_str(&page.content_security_policy).ok()?;
    more.insert(CONTENT_SECURITY_POLICY, policy);
    more.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

/// The body, unless the client has it already.
fn tagged(version: &str, headers: &HeaderMap, body: Body, content_type: &str) -> Response {
    let tag = format!("\"{version}\"");
    let same = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let (status, body) =
        if same { (StatusCode::NOT_MODIFIED, Body::empty()) } else { (StatusCode::OK, body) };
    let mut response = (status, body).into_response();
    let more = response.headers_mut();
    for (name, value) in [(CONTENT_TYPE, content_type), (ETAG, tag.as_str()), (CACHE_CONTROL, "no-cache")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            more.insert(name, value);
        }
    }
    more.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The SHA-256 of the model at work; the first who asks waits for it.
async fn sha256(app: &Arc<App>) -> Option<String> {
    let loaded = app.loaded();
    let digest = move || {
        let digest = || {
            let digest = Sha256::digest(loaded.reader().shared_model().bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        loaded.sha256.get_or_init(digest).clone()
    };
    tokio::task::spawn_blocking(digest).await.ok()
}

async fn about(app: &Arc<App>) -> Response {
    let loaded = app.loaded();
    match sha256(app).await {
        Some(sha256) => {
            let name = loaded.file_name().to_owned();
            with_json(&About { url: "model.bspan", sha256, bytes: loaded.bytes, name })
        }
        None => ApiError::new(Kind::Internal, "internal error; please report it").into_response(),
    }
}

/// The bytes of the model, which are not copied.
async fn model(app: &Arc<App>, headers: &HeaderMap) -> Response {
    let Some(sha256) = sha256(app).await else {
        return ApiError::new(Kind::Internal, "internal error; please report it").into_response();
    };
    let model = app.loaded().reader().shared_model().clone();
    let bytes = Bytes::from_owner(ModelBytes(model));
    tagged(&sha256, headers, bytes.into(), "application/octet-stream")
}

struct ModelBytes(blockspan_reader::SharedModel);

impl AsRef<[u8]> for ModelBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}
