//! The file: header, section table, sections. `FORMAT.md` beside this crate specifies it byte by byte.

mod header;
mod records;
mod writer;

pub(crate) use header::{Counts, Layout};
pub use header::{MAGIC, VERSION};
pub(crate) use records::{DocumentRecord, PassageRecord, TermRecord, u32_at};
pub(crate) use writer::{Body, write};
