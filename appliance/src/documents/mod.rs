//! Texts to find answers in: files, directories, pages.

mod document;
mod files;
#[cfg(feature = "html")]
mod html;
mod kind;
#[cfg(feature = "pdf")]
pub mod pdf;

pub use document::{Document, Lines, read, read_all};
pub use files::{Files, is_stdin};
pub use kind::Kind;
