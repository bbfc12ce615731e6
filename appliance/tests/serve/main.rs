//! The server as its clients meet it: the built binary, requests over TCP, signals.

mod answer;
mod common;
mod help;
mod hugging_face;
mod limits;
mod operation;
#[path = "../cli/packed.rs"]
mod packed;
#[cfg(all(feature = "page", unix))]
mod page;
mod refusals;
mod search;
mod security;
#[cfg(unix)]
mod swap;
#[cfg(unix)]
mod systemd;
mod weaviate;
