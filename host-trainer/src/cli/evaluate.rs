//! `evaluate`: EM and F1 of a fine-tuned directory.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_squad::Dataset;
use blockspan_trainer::{checkpoint, evaluate};
use candle_core::Device;
use clap::Args;

use super::windows::WindowArgs;

#[derive(Args)]
pub struct Evaluate {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// SQuAD file to measure on.
    pub file: PathBuf,
    #[command(flatten)]
    pub windows: WindowArgs,
    /// Windows that are read at once.
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Starts and ends examined per window.
    #[arg(long, default_value_t = 20)]
    pub n_best: usize,
    /// The longest answer, in tokens.
    #[arg(long, default_value_t = 30)]
    pub max_answer_len: usize,
    /// Write the predicted texts here, by question id.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
}

/// Measures and prints.
pub fn print_scores(args: &Evaluate, device: &Device) -> Result<()> {
    let dataset = Dataset::read(&args.file)?;
    let options = evaluate::Options {
        windows: args.windows.options(),
        batch_size: args.batch_size,
        n_best: args.n_best,
        max_answer_len: args.max_answer_len,
    };
    let evaluation = evaluate::evaluate(&args.model, &dataset, options, device)?;
    if let Some(path) = &args.predictions {
        let json = serde_json::to_string_pretty(&evaluation.predictions)? + "\n";
        checkpoint::write_atomically(path, json.as_bytes())?;
    }
    let scores = evaluation.scores;
    println!(
        "EM {:.2}  F1 {:.2}  ({} questions, {} windows)",
        scores.exact_match, scores.f1, scores.total, evaluation.windows
    );
    Ok(())
}
