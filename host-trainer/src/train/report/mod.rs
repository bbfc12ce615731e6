//! `report.html`: a run on one page that needs nothing beside it.

mod course;
mod environment;
mod page;
mod plot;
mod samples;
mod summary;

use anyhow::Result;

use crate::output::write_atomically;

pub use summary::{Evaluated, RunSummary};

/// The file in the directory of a run.
pub const FILE: &str = "report.html";

/// Writes `report.html` into the directory of the run.
///
/// # Errors
/// A failure to write; the message names the file.
pub fn write(run: &RunSummary<'_>) -> Result<()> {
    write_atomically(&run.out.join(FILE), page::page(run)?.as_bytes())
}
