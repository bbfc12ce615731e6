//! The packed file: header, section table, sections. `FORMAT.md` beside this crate specifies it byte by byte.

mod header;
mod section;

pub use header::{Config, HEADER_LEN, MAGIC, VERSION, WordDtype};
pub use section::{ALIGN, ENTRY_LEN, Entry, Kind, SectionId, section_ids};

pub(crate) use header::Header;
