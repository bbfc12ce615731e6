//! Questions to a folder: the passages that may answer them are found first, then read.

mod cite;
mod corpus;
mod folder;
mod query;

pub use cite::{Cited, Place, Position};
pub use corpus::Corpus;
pub use folder::{Folder, Report};
pub use query::{Found, PASSAGES, Query};
