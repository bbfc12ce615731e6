//! `threshold`: when a packed model should say that a passage holds no answer.

use core::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::{AlignedBytes, Model};
use blockspan_squad::Dataset;
use blockspan_trainer::card;
use blockspan_trainer::output;
use blockspan_trainer::pack::with_metadata;
use blockspan_trainer::threshold::{Recommendation, recommend, sample};
use clap::Args;

#[derive(Args)]
pub struct Threshold {
    /// Packed model, whose metadata is written anew
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Questions with answers, such as the training data, in the shape of SQuAD; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the model here instead of over --model; - for standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Ask at most so many questions, drawn by --seed
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub questions: usize,
    /// Decides which questions are asked, and on which other paragraphs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Only print what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// Measures, prints and writes.
pub fn set_threshold(args: &Threshold) -> Result<()> {
    ensure!(args.questions > 0, "--questions 0: give at least 1");
    let out = args.out.as_ref().unwrap_or(&args.model);
    if !args.dry_run {
        output::check_binary(out)?;
    }
    let mut dataset = Dataset::read(&args.file)?;
    let bytes = AlignedBytes::read_file(&args.model)?;
    let model = Model::parse(&bytes).map_err(|error| anyhow!("{}: {error}", args.model.display()))?;
    sample(&mut dataset, args.questions, args.seed);
    let found = recommend(&model, &dataset, args.seed).with_context(|| args.file.display().to_string())?;
    let mut text = text(&found)?;
    if !args.dry_run {
        let lines = [
            (card::NULL_THRESHOLD, found.null_threshold().to_string()),
            (card::ANSWERABLE_SLOPE, found.slope.to_string()),
            (card::ANSWERABLE_INTERCEPT, found.intercept.to_string()),
        ];
        output::write(out, &with_metadata(&model, &bytes, &lines)?)?;
        writeln!(text, "{}: written", out.display())?;
    }
    if !args.dry_run && output::is_standard(out) {
        output::note(text.trim_end());
        return Ok(());
    }
    output::print(&text)
}

fn text(found: &Recommendation) -> Result<String> {
    let Recommendation { measured, always, slope, intercept } = found;
    let mut text = String::new();
    writeln!(
        text,
        "{} questions with an answer, {} without: AUROC {:.4} of null_diff",
        measured.with_answer,
        measured.without_answer,
        measured.auroc.unwrap_or_default()
    )?;
    writeln!(text, "F1 {always:.2} if every question is answered, {:.2} with null_threshold 0", measured.f1)?;
    writeln!(text, "best F1 {:.2} with null_threshold {}", measured.best_f1.score, found.null_threshold())?;
    writeln!(text, "answerable = 1 / (1 + exp(-({slope} * null_diff + {intercept})))")?;
    Ok(text)
}
