//! Paths and methods that lead nowhere.

use axum::http::{Method, Uri};

use crate::output::printable;
use crate::serve::errors::{ApiError, Kind};

/// So much of a path is repeated.
const SHOWN: usize = 100;

/// 404.
#[cfg(not(feature = "page"))]
pub async fn not_found(uri: Uri) -> ApiError {
    nothing(&uri)
}

/// 404, for whoever has looked elsewhere before.
pub fn nothing(uri: &Uri) -> ApiError {
    ApiError::new(Kind::NotFound, format!("{}: there is nothing here; see /openapi.json", shown(uri)))
}

/// 405.
pub async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(Kind::MethodNotAllowed, format!("{method} is not for {}; see /openapi.json", shown(&uri)))
}

fn shown(uri: &Uri) -> String {
    printable(&uri.path().chars().take(SHOWN).collect::<String>())
}
