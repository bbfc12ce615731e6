//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use super::app::App;
use super::front::front;
#[cfg(feature = "page")]
use super::routes::page;
use super::routes::{health, hf, info, metrics, missing, native, openapi, search, weaviate};

/// All routes, behind the layer that every request passes.
pub fn router(app: Arc<App>) -> Router {
    #[cfg(feature = "page")]
    let routes = routes().route("/", get(page::index)).fallback(page::other);
    #[cfg(not(feature = "page"))]
    let routes = routes().fallback(missing::not_found);
    behind_front(routes, app)
}

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", post(hf::answer))
        .route("/v1/answer", post(native::answer))
        .route("/v1/search-answer", post(search::answer))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/info", get(info::info))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/answers", post(weaviate::answer))
        .route("/answers/", post(weaviate::answer))
        .route("/meta", get(weaviate::meta))
        .route("/.well-known/live", get(weaviate::live))
        .route("/.well-known/ready", get(weaviate::ready))
}

fn behind_front(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes
        .method_not_allowed_fallback(missing::method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), front))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::response::Response;
    use clap::Parser;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::serve::loaded::Loading;

    const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/default.bspan");

    fn app() -> Arc<App> {
        let Command::Serve(args) =
            Cli::parse_from(["blockspan", "serve", "--model", MODEL, "--threads", "1"]).command
        else {
            panic!("another command")
        };
        let loading = Loading::new(&args).unwrap();
        let loaded = loading.load().unwrap();
        Arc::new(App::new(&args, loading, loaded).unwrap())
    }

    async fn get_from(router: &TowerToHyperService<Router>, path: &str) -> Response {
        router.call(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn broken() -> &'static str {
        let nothing: Option<&str> = core::hint::black_box(None);
        nothing.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_one_request() {
        let app = app();
        let router = behind_front(routes().route("/broken", get(broken)), Arc::clone(&app));
        let router = TowerToHyperService::new(router);
        for panics in 1..=2 {
            let response = get_from(&router, "/broken").await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert!(response.headers().contains_key("x-request-id"));
            let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
            assert_eq!(
                &bytes[..],
                br#"{"error":"internal error; please report it","error_type":"internal"}"#
            );
            assert_eq!((app.metrics.panics.get(), app.in_flight()), (panics, 0));
            assert_eq!(get_from(&router, "/healthz").await.status(), StatusCode::OK);
        }
    }
}
