//! `GET /info`: what answers here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::search::Corpus;
use crate::serve::app::App;
use crate::serve::respond::with_json;

/// The model, the machine and the limits.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Info {
    /// The version of `blockspan`.
    version: &'static str,
    model: ModelInfo,
    machine: MachineInfo,
    /// The index at work, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<IndexInfo>,
    limits: Limits,
}

/// The model at work.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ModelInfo {
    /// The name of its file, without folders.
    name: String,
    /// Bytes of the file.
    bytes: usize,
    /// When it was loaded, in seconds since 1970.
    loaded: u64,
    hidden: usize,
    layers: usize,
    heads: usize,
    /// Word pieces.
    vocabulary: usize,
    /// Tokens that neighboring windows share unless a request says otherwise.
    doc_stride: usize,
    /// Above this `null_diff` the passage likely holds no answer, if the file recommends a threshold.
    null_threshold: Option<f32>,
    /// The lines of the model's card.
    metadata: BTreeMap<String, String>,
}

/// The index that `/v1/search-answer` asks.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct IndexInfo {
    /// Bytes of the file.
    bytes: usize,
    documents: usize,
    passages: usize,
    words: u64,
    /// When the folder was read, in seconds since 1970.
    written: i64,
}

/// What computes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MachineInfo {
    /// The instruction set.
    isa: &'static str,
    /// `throughput` or `latency`.
    mode: &'static str,
    /// Questions that are read at the same time.
    sessions: usize,
    /// Threads that share the work on one window.
    threads_per_session: usize,
}

/// What is too much.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Limits {
    /// Questions that may wait.
    queue: usize,
    max_body_bytes: usize,
    max_questions: usize,
    max_documents: usize,
    max_connections: usize,
    /// Tokens of the longest window.
    max_seq_len: usize,
}

/// What answers here.
pub async fn info(State(app): State<Arc<App>>) -> Response {
    let loaded = app.loaded();
    let reader = loaded.reader();
    let (model, limits) = (reader.model(), &app.limits);
    let config = model.config();
    with_json(&Info {
        version: env!("CARGO_PKG_VERSION"),
        model: ModelInfo {
            name: loaded.file_name().to_owned(),
            bytes: loaded.bytes,
            loaded: loaded.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            hidden: config.hidden,
            layers: config.layers,
            heads: config.heads,
            vocabulary: config.vocab,
            doc_stride: config.doc_stride_for(reader.max_seq_len()),
            null_threshold: model.null_threshold(),
            metadata: loaded.card.iter().cloned().collect(),
        },
        machine: MachineInfo {
            isa: reader.isa().name(),
            mode: app.loading.mode().name(),
            sessions: reader.sessions(),
            threads_per_session: reader.threads_per_session(),
        },
        index: loaded.corpus.as_ref().map(|Corpus { index, .. }| IndexInfo {
            bytes: index.bytes().len(),
            documents: index.documents(),
            passages: index.passages(),
            words: index.words(),
            written: index.written().0,
        }),
        limits: Limits {
            queue: limits.queue,
            max_body_bytes: limits.max_body_bytes,
            max_questions: limits.max_questions,
            max_documents: limits.max_documents,
            max_connections: limits.max_connections,
            max_seq_len: reader.max_seq_len(),
        },
    })
}
