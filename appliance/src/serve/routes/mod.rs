//! One module for each kind of request.

pub mod health;
pub mod hf;
pub mod info;
pub mod metrics;
pub mod missing;
pub mod native;
pub mod openapi;
#[cfg(feature = "page")]
pub mod page;
pub mod rules;
pub mod search;
pub mod weaviate;
