//! Texts to find answers in: files, directories, pages.

mod document;
mod files;
mod html;

pub use document::{Document, read, read_all};
pub use files::{Files, is_stdin};
