//! `blockspan inspect`.

mod report;
mod table;

use anyhow::Result;

use crate::cli::Inspect;
use crate::model_source::ModelSource;
use crate::{output, runtime};
use report::{Report, Workspace};

/// Parses the model, which checks every checksum, and prints what it holds.
pub fn run(args: &Inspect) -> Result<()> {
    let source = ModelSource::open(args.file.as_deref())?;
    let model = source.parse()?;
    let max_seq_len = runtime::max_seq_len(args.max_seq_len, model.config())?;
    let bytes = model.workspace_len(max_seq_len, args.threads);
    let workspace = Workspace { max_seq_len, threads: args.threads, bytes };
    let report = Report::new(&source.to_string(), source.bytes().len(), &model, workspace);
    output::print(&if args.json { output::json::line(&report)? } else { table::text(&report) })
}
