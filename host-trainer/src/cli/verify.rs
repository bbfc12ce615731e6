//! `verify`: a packed file against the directory that it was made of.

use core::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use blockspan_squad::{Dataset, Scores, printable_json, printable_lines};
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::output;
use blockspan_trainer::verify::{Difference, Verification, verify};
use candle_core::Device;
use clap::Args;
use serde_json::{Value, json};

use super::check::{not_negative, share};
use super::evaluate::DecodingArgs;

/// Exit code where a limit is not met: not that of an error, which is 2.
const LIMIT_NOT_MET: u8 = 1;

/// A mean difference of the logits, as a share of their spread, that int8 does not make of a sound model.
const SUSPICIOUS: f64 = 0.25;

#[derive(Args)]
pub struct Verify {
    /// Hugging Face directory that was packed, or repository of the hub
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The file that pack made of it
    #[arg(long, value_name = "FILE")]
    pub packed: PathBuf,
    /// SQuAD file to compare on; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Exit with 1 if the logits differ by more on average; a share of their standard deviation, for example 0.05
    #[arg(long, value_name = "SHARE")]
    pub max_logit_difference: Option<f64>,
    /// Exit with 1 if a smaller share of the questions has the same answer from both, for example 0.95
    #[arg(long, value_name = "SHARE")]
    pub min_equal_answers: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Verify {
    /// The limits that are not met, each with the figure.
    fn limits_not_met(&self, found: &Verification) -> Vec<String> {
        let mut reasons = Vec::new();
        let mean = found.logits.mean;
        if let Some(limit) = self.max_logit_difference.filter(|&limit| mean.is_nan() || mean > limit) {
            reasons.push(format!(
                "the mean difference of the logits is {mean:.4}: --max-logit-difference {limit}"
            ));
        }
        let equal = found.equal_answers();
        if let Some(limit) = self.min_equal_answers.filter(|&limit| equal < limit) {
            reasons.push(format!("the share of equal answers is {equal:.4}: --min-equal-answers {limit}"));
        }
        reasons
    }
}

/// Compares and prints.
pub fn print_differences(args: &Verify, device: &Device) -> Result<ExitCode> {
    args.max_logit_difference.map(|limit| not_negative("--max-logit-difference", limit)).transpose()?;
    args.min_equal_answers.map(|limit| share("--min-equal-answers", limit)).transpose()?;
    let dataset = Dataset::read(&args.file)?;
    let directory = model_directory(&args.model)?;
    let options = args.decoding.options(&directory)?;
    let found = verify(&directory, &args.packed, &dataset, options, device)?;
    output::print(&if args.json {
        printable_json(&serde_json::to_string_pretty(&to_json(&found, dataset.is_labeled()))?) + "\n"
    } else {
        printable_lines(&text(&found, dataset.is_labeled())?)
    })?;
    if found.logits.mean.is_nan() || found.logits.mean > SUSPICIOUS {
        output::note(&format!(
            "warning: the logits differ by {:.0} % of their spread on average; was {} packed from {}, as that is now? \
             If so, int8 costs this model too much: train it with --qat",
            100.0 * found.logits.mean,
            args.packed.display(),
            args.model.display()
        ));
    }
    let reasons = args.limits_not_met(&found);
    reasons.iter().for_each(|reason| output::note(&format!("limit not met: {reason}")));
    Ok(if reasons.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(LIMIT_NOT_MET) })
}

fn text(found: &Verification, labeled: bool) -> Result<String> {
    let mut text = String::new();
    let Verification { float, packed, logits, changed, .. } = found;
    for (name, scores) in [("f32 ", float.scores), ("int8", packed.scores)].into_iter().filter(|_| labeled) {
        writeln!(text, "{name}  EM {:.2}  F1 {:.2}", scores.exact_match, scores.f1)?;
    }
    if !labeled {
        writeln!(text, "no scores: no question of the file has an answer")?;
    }
    writeln!(
        text,
        "logits  mean difference {:.2} %, worst {:.2} % of their spread ({:.3})",
        100.0 * logits.mean,
        100.0 * logits.worst,
        logits.spread
    )?;
    for (count, by) in [
        (found.texts_cut_differently, "the packed tokenizer"),
        (found.texts_cut_differently_by_json, "tokenizer.json alone, without tokenizer_config.json"),
    ] {
        if count > 0 {
            writeln!(text, "{count} texts are cut to other tokens by {by}")?;
        }
    }
    let Scores { total, .. } = float.scores;
    writeln!(text, "{} of {total} answers changed ({} windows)", changed.len(), float.windows)?;
    for question in changed {
        writeln!(
            text,
            "{}  {}  f32 {:?}, int8 {:?}",
            question.id, question.question, question.float, question.packed
        )?;
    }
    Ok(text)
}

fn to_json(found: &Verification, labeled: bool) -> Value {
    let scores = |scores: Scores| match labeled {
        true => json!({"exact_match": scores.exact_match, "f1": scores.f1}),
        false => Value::Null,
    };
    let Difference { spread, worst, mean } = found.logits;
    let changed = found.changed.iter().map(|question| {
        json!({
            "id": question.id, "question": question.question, "f32": question.float, "int8": question.packed
        })
    });
    json!({
        "f32": scores(found.float.scores),
        "int8": scores(found.packed.scores),
        "logits": {"spread": spread, "worst_difference": worst, "mean_difference": mean},
        "equal_answers": found.equal_answers(),
        "questions": found.float.scores.total,
        "windows": found.float.windows,
        "texts_cut_differently": found.texts_cut_differently,
        "texts_cut_differently_by_tokenizer_json": found.texts_cut_differently_by_json,
        "changed": changed.collect::<Vec<_>>(),
    })
}
