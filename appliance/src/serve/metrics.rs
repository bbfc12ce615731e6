//! What is counted, in the text format of Prometheus. Every series is there from the start.

use core::fmt;
use core::sync::atomic::AtomicU64;
use core::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::errors::Kind;

/// Where a request goes, as far as it is told apart in figures and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /`, the task of Hugging Face.
    HuggingFace,
    /// `POST /v1/answer`.
    Answer,
    /// `POST /v1/search-answer`.
    SearchAnswer,
    /// `POST /answers/`, of Weaviate.
    Weaviate,
    /// Everything that asks nothing.
    Other,
}

impl Route {
    const ALL: [Self; 5] = [Self::HuggingFace, Self::Answer, Self::SearchAnswer, Self::Weaviate, Self::Other];

    /// The route of a method and the path's pattern.
    pub fn of(method: &Method, path: Option<&str>) -> Self {
        match path {
            Some("/") if method == Method::POST => Self::HuggingFace,
            Some("/v1/answer") if method == Method::POST => Self::Answer,
            Some("/v1/search-answer") if method == Method::POST => Self::SearchAnswer,
            Some("/answers/" | "/answers") if method == Method::POST => Self::Weaviate,
            _ => Self::Other,
        }
    }

    /// The value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::HuggingFace => "/",
            Self::Answer => "/v1/answer",
            Self::SearchAnswer => "/v1/search-answer",
            Self::Weaviate => "/answers/",
            Self::Other => "other",
        }
    }

    /// Whether it has questions.
    pub fn asks(self) -> bool {
        self != Self::Other
    }
}

type Labels<const N: usize> = [(&'static str, String); N];

/// The figures that events change. Those of the moment are set when somebody looks.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    durations: Family<Labels<1>, Histogram, fn() -> Histogram>,
    /// How long questions waited for a session.
    pub queue_durations: Histogram,
    /// How long sessions read for a question.
    pub inference_durations: Histogram,
    /// Requests whose client left before the response.
    pub canceled: Counter,
    /// Questions that were answered, each of every document.
    pub questions: Counter,
    /// Windows that they took.
    pub windows: Counter,
    /// Requests that found the queue full.
    pub overloaded: Counter,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Connections that were refused, since there were too many.
    pub connections_refused: Counter,
    /// Models that were put in the place of another.
    pub swaps: Counter,
    /// Models that were refused.
    pub failed_swaps: Counter,
    /// Questions that wait for a session.
    pub waiting: Gauge,
    /// Requests with questions that have no response yet.
    pub in_flight: Gauge,
    /// Connections that are open.
    pub connections: Gauge,
    /// Sessions of the model at work.
    pub sessions: Gauge,
    /// When the model at work was loaded, in seconds since 1970.
    pub loaded: Gauge<f64, AtomicU64>,
    resident: Gauge,
}

impl Metrics {
    /// All figures at 0.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Labels<2>, Counter>::default();
        let durations = Family::<Labels<1>, Histogram, fn() -> Histogram>::new_with_constructor(histogram);
        for route in Route::ALL {
            let ok = [200, 204, 503].map(|code: u16| code.to_string());
            let errors = Kind::ALL.map(|kind| kind.status().as_str().to_owned());
            for code in ok.into_iter().chain(errors) {
                // 503 is for health checks alone.
                if code != "503" || !route.asks() {
                    drop(requests.get_or_create(&code_labels(route, code)));
                }
            }
            if route.asks() {
                drop(durations.get_or_create(&[("route", route.name().to_owned())]));
            }
        }
        registry.register("blockspan_requests", "Requests, by route and status", requests.clone());
        registry.register_with_unit(
            "blockspan_request_duration",
            "From a request's head to its response, for requests with questions",
            Unit::Seconds,
            durations.clone(),
        );
        let mut seconds = |name: &str, help: &str| {
            let durations = histogram();
            registry.register_with_unit(name, help, Unit::Seconds, durations.clone());
            durations
        };
        let queue_durations =
            seconds("blockspan_queue_duration", "From a question's place in the queue to a session");
        let inference_durations =
            seconds("blockspan_inference_duration", "From a session to the question's answers");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let canceled =
            counter("blockspan_requests_canceled", "Requests whose client left before the response");
        let questions = counter("blockspan_questions", "Questions answered, each of every document");
        let windows = counter("blockspan_windows", "Windows of passages read for them");
        let overloaded = counter("blockspan_overloaded", "Requests that found the queue full");
        let panics = counter("blockspan_panics", "Requests that ended in an internal error");
        let connections_refused = counter("blockspan_connections_refused", "Connections beyond the limit");
        let swaps = counter("blockspan_model_swaps", "Models put in the place of another");
        let failed_swaps = counter("blockspan_model_swaps_failed", "Models refused while another went on");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::<i64>::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let waiting = gauge("blockspan_queue_waiting", "Questions that wait for a session");
        let in_flight =
            gauge("blockspan_requests_in_flight", "Requests with questions without a response yet");
        let connections = gauge("blockspan_connections", "Open connections");
        let sessions = gauge("blockspan_sessions", "Questions that are read at the same time");
        let resident = gauge("process_resident_memory_bytes", "Resident memory size in bytes");
        let loaded = Gauge::<f64, AtomicU64>::default();
        let help = "When the model at work was loaded, since the Unix epoch";
        registry.register_with_unit("blockspan_model_loaded_timestamp", help, Unit::Seconds, loaded.clone());
        Self {
            registry,
            requests,
            durations,
            queue_durations,
            inference_durations,
            canceled,
            questions,
            windows,
            overloaded,
            panics,
            connections_refused,
            swaps,
            failed_swaps,
            waiting,
            in_flight,
            connections,
            sessions,
            loaded,
            resident,
        }
    }

    /// Counts a response.
    pub fn responded(&self, route: Route, code: &str, took: Duration) {
        self.requests.get_or_create(&code_labels(route, code.to_owned())).inc();
        if route.asks() {
            self.durations.get_or_create(&[("route", route.name().to_owned())]).observe(took.as_secs_f64());
        }
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> Result<String, fmt::Error> {
        self.resident.set(resident_bytes().unwrap_or_default());
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Of seconds, from a spare session to a queue that is full.
fn histogram() -> Histogram {
    Histogram::new([
        0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

fn code_labels(route: Route, code: String) -> Labels<2> {
    [("route", route.name().to_owned()), ("code", code)]
}

/// Where the operating system tells it.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
