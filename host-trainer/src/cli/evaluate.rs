//! `evaluate`: EM and F1 of a fine-tuned directory.

use std::path::{Path, PathBuf};

use anyhow::Result;
use blockspan_squad::{Dataset, outputs};
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::evaluate::{self, EvaluateOptions, Evaluation};
use blockspan_trainer::output;
use candle_core::Device;
use clap::Args;

use super::windows::WindowArgs;

#[derive(Args)]
pub struct Evaluate {
    /// Hugging Face directory of a fine-tuned model.
    #[arg(long, value_name = "DIR", alias = "model_name_or_path")]
    pub model: PathBuf,
    /// Data to measure on: SQuAD v1.1 or v2.0, or records of Hugging Face datasets, JSON or JSON Lines; - for standard
    /// input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the predicted texts here, by question id; - for standard output.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Write predictions.json, nbest_predictions.json and null_odds.json here, as run_qa.py does.
    #[arg(long, value_name = "DIR", alias = "output_dir")]
    pub output_dir: Option<PathBuf>,
    /// Print the scores as one JSON object on one line.
    #[arg(long)]
    pub json: bool,
    /// Ask each question once more on another paragraph of its article that does not answer it, and print how well
    /// null_diff tells the two apart: AUROC, and F1 over both kinds.
    #[arg(long)]
    pub unanswerable_twin: bool,
    /// Decides which paragraphs --unanswerable-twin takes.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "unanswerable_twin")]
    pub seed: u64,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

/// How answers are found.
#[derive(Args)]
pub struct DecodingArgs {
    #[command(flatten)]
    pub windows: WindowArgs,
    /// Windows that are read at once.
    #[arg(long, value_name = "N", default_value_t = 16, alias = "per_device_eval_batch_size")]
    pub batch_size: usize,
    /// Starts and ends examined per window, and spans that share the probability.
    #[arg(long, value_name = "N", default_value_t = 20, alias = "n_best_size")]
    pub n_best: usize,
    /// The longest answer, in tokens.
    #[arg(long, value_name = "TOKENS", default_value_t = 30, alias = "max_answer_length")]
    pub max_answer_len: usize,
    /// Give no answer where null_diff is above this [default: 0 for a file with unanswerable questions; else every
    /// question has an answer].
    #[arg(long, value_name = "DIFF", alias = "null_score_diff_threshold", allow_negative_numbers = true)]
    pub null_threshold: Option<f64>,
}

impl DecodingArgs {
    /// As the library takes it, for the model in `directory`.
    pub fn options(&self, directory: &Path) -> Result<EvaluateOptions> {
        Ok(EvaluateOptions {
            windows: self.windows.options(directory)?,
            batch_size: self.batch_size,
            n_best: self.n_best,
            max_answer_len: self.max_answer_len,
            null_threshold: self.null_threshold,
            twin_seed: None,
        })
    }
}

/// Measures and prints.
pub fn print_scores(args: &Evaluate, device: &Device) -> Result<()> {
    let dataset = Dataset::read(&args.file)?;
    if args.unanswerable_twin {
        dataset.check_labeled()?;
    }
    if let Some(directory) = &args.output_dir {
        output::check_writable(directory)?;
    }
    args.predictions.as_deref().map(output::check_text).transpose()?;
    let directory = model_directory(&args.model)?;
    let options = EvaluateOptions {
        twin_seed: args.unanswerable_twin.then_some(args.seed),
        ..args.decoding.options(&directory)?
    };
    let Evaluation { report, predicted, .. } = evaluate::evaluate(&directory, &dataset, options, device)?;
    dataset.notes().iter().for_each(|note| output::note(&format!("note: {note}")));
    if let Some(path) = &args.predictions {
        evaluate::write_predictions(path, &predicted)?;
    }
    if let Some(directory) = &args.output_dir {
        evaluate::write_outputs(directory, &predicted)?;
    }
    let scores = if args.json { report.json() } else { report.text() };
    // Where there are no scores, the predictions are all that there is to show.
    let nothing_else = report.scores.is_none() && args.predictions.is_none() && args.output_dir.is_none();
    if nothing_else && !args.json {
        output::note(scores.trim_end());
        return output::print(&outputs::texts(&predicted)?);
    }
    // Standard output holds the predictions then.
    if args.predictions.as_deref().is_some_and(output::is_standard) {
        output::note(scores.trim_end());
        return Ok(());
    }
    output::print(&scores)
}
