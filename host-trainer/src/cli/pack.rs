//! `pack`: a fine-tuned directory as one file for the engine.

use core::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use blockspan_engine::format::WordDtype;
use blockspan_trainer::card::Card;
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::output;
use blockspan_trainer::pack::{self, Calibration, PackOptions, PackReport};
use clap::{Args, ValueEnum};

use super::check::standard_input_once;
use super::windows::WindowArgs;

#[derive(Args)]
pub struct Pack {
    /// Fine-tuned Hugging Face directory, or repository of the hub
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// File to write, usually *.bspan; - for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How word embeddings are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = Embeddings::I8)]
    pub embeddings: Embeddings,
    /// Pack zeros that follow neither pattern: only blocks that are all zero are left out
    #[arg(long)]
    pub force_dense: bool,
    /// SQuAD file whose windows show how large activations become, so that outlier features can be smoothed
    /// [default: the factors that --qat trained with, else texts that come with the program]
    #[arg(long, value_name = "FILE", conflicts_with = "no_smoothing")]
    pub calibration: Option<PathBuf>,
    /// Leave outlier features as they are
    #[arg(long)]
    pub no_smoothing: bool,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// JSON object with what the model directory does not tell: license, attribution, ...
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// A line of metadata; may be given several times, and wins over --card
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
    /// Print a line for every matrix, also of a dense model
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Embeddings {
    /// int8 with a scale per row.
    I8,
    /// IEEE half precision.
    F16,
}

impl Pack {
    /// What the user tells about the model.
    fn metadata(&self) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        if let Some(path) = &self.card {
            let card = Card::read(path)?;
            all.extend(card.entries().map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        for line in &self.metadata {
            let (key, value) = line
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty())
                .with_context(|| format!("--metadata {line:?}: write it as KEY=VALUE"))?;
            all.push((key.to_owned(), value.to_owned()));
        }
        Ok(all)
    }
}

/// Packs and prints what became of every matrix.
pub fn pack_model(args: &Pack) -> Result<()> {
    standard_input_once(args.calibration.iter().chain(&args.card))?;
    output::check_binary(&args.out)?;
    let directory = model_directory(&args.model)?;
    let windows = args.windows.options(&directory)?;
    let options = PackOptions {
        embeddings: match args.embeddings {
            Embeddings::I8 => WordDtype::I8,
            Embeddings::F16 => WordDtype::F16,
        },
        max_seq_len: windows.max_seq_len,
        doc_stride: windows.doc_stride,
        metadata: args.metadata()?,
        force_dense: args.force_dense,
        calibration: match &args.calibration {
            Some(path) => Calibration::File(path.clone()),
            None if args.no_smoothing => Calibration::Off,
            None => Calibration::OwnTexts,
        },
    };
    let report = pack::pack(&directory, &args.out, &options)?;
    let text = text(&report, &args.out, args.verbose)?;
    if output::is_standard(&args.out) {
        output::note(text.trim_end());
        return Ok(());
    }
    output::print(&text)
}

fn text(report: &PackReport, out: &Path, verbose: bool) -> Result<String> {
    let mut text = String::new();
    // Nothing is to be said of a hundred matrices without zeros.
    let is_dense = report.matrices.iter().all(|matrix| matrix.sparsity < 0.0005);
    for matrix in report.matrices.iter().filter(|_| verbose || !is_dense) {
        let (rows, cols) = matrix.shape;
        writeln!(
            text,
            "{:<52} {rows:>5} x {cols:<5} {:>5.1} % zeros, {:>5.1} % of the blocks kept",
            matrix.name,
            100.0 * matrix.sparsity,
            100.0 * matrix.density
        )?;
    }
    let (smoothed, features, largest) = report.smoothed;
    if smoothed > 0 {
        writeln!(text, "{smoothed} of {features} features smoothed, by up to {largest}")?;
    }
    let name = if output::is_standard(out) { "standard output".into() } else { out.display().to_string() };
    let zeros = if is_dense { "dense".to_owned() } else { report.pattern.to_string() };
    writeln!(text, "{name}: {} bytes, {} matrices, {zeros}", report.file_len, report.matrices.len())?;
    Ok(text)
}
