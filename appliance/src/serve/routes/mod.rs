//! One module for each kind of request.

pub mod health;
pub mod hf;
pub mod info;
pub mod metrics;
pub mod native;
pub mod openapi;
pub mod weaviate;
