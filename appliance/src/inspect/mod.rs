//! `blockspan inspect`.

mod report;
mod table;

use anyhow::Result;

use crate::cli::Inspect;
use crate::model_source::ModelSource;
use crate::output;
use report::Report;

/// Parses the model, which checks every checksum, and prints what it holds.
pub fn run(args: &Inspect) -> Result<()> {
    let source = ModelSource::open(args.file.as_deref())?;
    let report = Report::new(&source.to_string(), source.bytes().len(), &source.parse()?);
    output::print(&if args.json { serde_json::to_string(&report)? + "\n" } else { table::text(&report) })
}
