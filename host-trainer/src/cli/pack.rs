//! `pack`: a fine-tuned directory as one file for the engine.

use std::path::PathBuf;

use anyhow::{Context, Result};
use blockspan_engine::format::WordDtype;
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::pack::{self, Calibration, PackOptions};
use clap::{Args, ValueEnum};

use super::windows::WindowArgs;

#[derive(Args)]
pub struct Pack {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// File to write, usually *.bspan.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How word embeddings are stored.
    #[arg(long, value_enum, default_value_t = Embeddings::I8)]
    pub embeddings: Embeddings,
    /// Pack zeros that follow neither pattern: only blocks that are all zero are left out.
    #[arg(long)]
    pub force_dense: bool,
    /// SQuAD file whose windows show how large activations become, so that outlier features can be smoothed
    /// [default: the factors that --qat trained with, else texts that come with the program].
    #[arg(long, value_name = "FILE", conflicts_with = "no_smoothing")]
    pub calibration: Option<PathBuf>,
    /// Leave outlier features as they are.
    #[arg(long)]
    pub no_smoothing: bool,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// A line of metadata, KEY=VALUE; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Embeddings {
    /// int8 with a scale per row.
    I8,
    /// IEEE half precision.
    F16,
}

/// Packs and prints what became of every matrix.
pub fn pack_model(args: &Pack) -> Result<()> {
    let metadata = args.metadata.iter().map(|line| {
        let (key, value) =
            line.split_once('=').with_context(|| format!("--metadata {line:?}: write it as KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    let options = PackOptions {
        embeddings: match args.embeddings {
            Embeddings::I8 => WordDtype::I8,
            Embeddings::F16 => WordDtype::F16,
        },
        max_seq_len: args.windows.max_seq_len,
        doc_stride: args.windows.doc_stride,
        metadata: metadata.collect::<Result<_>>()?,
        force_dense: args.force_dense,
        calibration: match &args.calibration {
            Some(path) => Calibration::File(path.clone()),
            None if args.no_smoothing => Calibration::Off,
            None => Calibration::OwnTexts,
        },
    };
    let report = pack::pack(&model_directory(&args.model)?, &args.out, &options)?;
    for matrix in &report.matrices {
        let (rows, cols) = matrix.shape;
        println!(
            "{:<52} {rows:>5} x {cols:<5} {:>5.1} % zeros, {:>5.1} % of the blocks kept",
            matrix.name,
            100.0 * matrix.sparsity,
            100.0 * matrix.density
        );
    }
    let (smoothed, features, largest) = report.smoothed;
    if smoothed > 0 {
        println!("{smoothed} of {features} features smoothed, by up to {largest}");
    }
    println!(
        "{}: {} bytes, {} matrices, {}",
        args.out.display(),
        report.file_len,
        report.matrices.len(),
        report.pattern
    );
    Ok(())
}
