//! `inspect`: what a model directory's zeros look like.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::inspect::Inspection;
use blockspan_trainer::prune::pattern::{Census, Pattern};
use clap::Args;

/// What `inspect` reads.
#[derive(Args)]
pub struct Inspect {
    /// Hugging Face directory.
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
}

/// Prints the table.
pub fn inspect(args: &Inspect) -> Result<()> {
    let inspection = Inspection::of_directory(&model_directory(&args.model)?)?;
    let line = |name: &str, shape: &str, figures: [String; 3], pattern: &str| {
        let [weights, output, input] = figures;
        println!("{name:<52} {shape:>13} {weights:>9} {output:>12} {input:>11}  {pattern}");
    };
    let headings = ["density", "output-block", "input-block"].map(str::to_owned);
    line("encoder matrix", "out x in", headings, "pattern");
    let figures = |census: Census| {
        let blocks = [Pattern::OutputBlock, Pattern::InputBlock].map(|p| census.block_density(p));
        [1.0 - census.sparsity(), blocks[0], blocks[1]].map(|share| format!("{:.1} %", 100.0 * share))
    };
    for (matrix, census) in &inspection.matrices {
        let shape = format!("{} x {}", matrix.outputs, matrix.inputs);
        line(&matrix.name, &shape, figures(*census), &census.verdict().to_string());
    }
    let total = inspection.total();
    let (verdict, reason) = match inspection.pattern() {
        Ok(Some(pattern)) => (pattern.name(), None),
        Ok(None) => ("dense", None),
        Err(error) => ("neither", Some(error)),
    };
    let all = format!("all {} matrices", inspection.matrices.len());
    line(&all, &format!("{} weights", total.weights), figures(total), verdict);
    if let Some(reason) = reason {
        println!("{reason}");
    }
    Ok(())
}
