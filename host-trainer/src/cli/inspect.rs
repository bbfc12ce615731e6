//! `inspect`: what a model directory's zeros look like.

use core::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use blockspan_squad::printable;
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::inspect::Inspection;
use blockspan_trainer::prune::pattern::{Census, Pattern};
use blockspan_trainer::{output, pack};
use clap::Args;

/// What `inspect` reads.
#[derive(Args)]
pub struct Inspect {
    /// Hugging Face directory, or repository of the hub
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
    /// Print a line for every matrix, also of a dense model
    #[arg(short, long)]
    pub verbose: bool,
}

/// Prints the table.
pub fn inspect(args: &Inspect) -> Result<()> {
    let directory = model_directory(&args.model)?;
    let inspection = Inspection::of_directory(&directory)?;
    let mut text = text(&inspection, args.verbose)?;
    if let Err(error) = pack::check(&directory) {
        writeln!(text, "pack will refuse it: {}", printable(&format!("{error:#}")))?;
    }
    output::print(&text)
}

fn text(inspection: &Inspection, verbose: bool) -> Result<String> {
    let mut text = String::new();
    let mut line = |name: &str, shape: &str, figures: [String; 3], pattern: &str| {
        let [weights, output, input] = figures;
        writeln!(text, "{name:<52} {shape:>13} {weights:>9} {output:>12} {input:>11}  {pattern}")
    };
    let headings = ["density", "output-block", "input-block"].map(str::to_owned);
    line("encoder matrix", "out x in", headings, "pattern")?;
    let figures = |census: Census| {
        let blocks = [Pattern::OutputBlock, Pattern::InputBlock].map(|p| census.block_density(p));
        [1.0 - census.sparsity(), blocks[0], blocks[1]].map(|share| format!("{:.1} %", 100.0 * share))
    };
    let (verdict, reason) = match inspection.pattern() {
        Ok(Some(pattern)) => (pattern.name(), None),
        Ok(None) => ("dense", None),
        Err(error) => ("neither", Some(error)),
    };
    // Nothing is to be said of a hundred matrices without zeros.
    for (matrix, census) in inspection.matrices.iter().filter(|_| verbose || verdict != "dense") {
        let shape = format!("{} x {}", matrix.outputs, matrix.inputs);
        line(&matrix.name, &shape, figures(*census), &census.verdict().to_string())?;
    }
    let total = inspection.total();
    let all = format!("all {} matrices", inspection.matrices.len());
    line(&all, &format!("{} weights", total.weights), figures(total), verdict)?;
    if let Some(reason) = reason {
        writeln!(text, "{reason}")?;
    }
    Ok(text)
}
