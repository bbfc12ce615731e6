//! `evaluate`: EM and F1 of a fine-tuned directory.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_squad::{Dataset, Scores};
use blockspan_trainer::checkpoint;
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::evaluate::{self, EvaluateOptions, Evaluation};
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
    pub decoding: DecodingArgs,
    /// Write the predicted texts here, by question id.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Write predictions.json, nbest_predictions.json and null_odds.json here, as run_qa.py does.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// How answers are found.
#[derive(Args)]
pub struct DecodingArgs {
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
    /// Where the file holds questions without an answer: how far the null answer must be ahead to win.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub null_threshold: f64,
}

impl DecodingArgs {
    /// As the library takes it.
    pub fn options(&self) -> EvaluateOptions {
        EvaluateOptions {
            windows: self.windows.options(),
            batch_size: self.batch_size,
            n_best: self.n_best,
            max_answer_len: self.max_answer_len,
            null_threshold: self.null_threshold,
        }
    }
}

/// Measures and prints.
pub fn print_scores(args: &Evaluate, device: &Device) -> Result<()> {
    let dataset = Dataset::read(&args.file)?;
    if let Some(directory) = &args.output_dir {
        checkpoint::check_writable(directory)?;
    }
    let evaluation =
        evaluate::evaluate(&model_directory(&args.model)?, &dataset, args.decoding.options(), device)?;
    if let Some(path) = &args.predictions {
        evaluate::write_predictions(path, &evaluation.predicted)?;
    }
    if let Some(directory) = &args.output_dir {
        evaluate::write_outputs(directory, &evaluation.predicted)?;
    }
    let Evaluation { scores, null, windows, .. } = evaluation;
    let Scores { exact_match, f1, total } = scores;
    println!("EM {exact_match:.2}  F1 {f1:.2}  ({total} questions, {windows} windows)");
    if let Some(null) = null {
        for (name, part) in [("HasAns", null.has_answer), ("NoAns ", null.no_answer)] {
            if let Some(Scores { exact_match, f1, total }) = part {
                println!("{name}  EM {exact_match:.2}  F1 {f1:.2}  ({total} questions)");
            }
        }
        let (exact, f1) = (null.best_exact, null.best_f1);
        println!(
            "best  EM {:.2} with --null-threshold {}, F1 {:.2} with --null-threshold {}",
            exact.score, exact.threshold, f1.score, f1.threshold
        );
    }
    Ok(())
}
