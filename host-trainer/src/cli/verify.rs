//! `verify`: a packed file against the directory that it was made of.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_squad::{Dataset, Scores};
use blockspan_trainer::checkpoint::hub::model_directory;
use blockspan_trainer::verify::{Difference, Verification, verify};
use candle_core::Device;
use clap::Args;
use serde_json::{Value, json};

use super::evaluate::DecodingArgs;

#[derive(Args)]
pub struct Verify {
    /// Hugging Face directory that was packed.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The file that pack made of it.
    #[arg(long, value_name = "FILE")]
    pub packed: PathBuf,
    /// SQuAD file to compare on.
    #[arg(value_name = "DATA")]
    pub file: PathBuf,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Compares and prints.
pub fn print_differences(args: &Verify, device: &Device) -> Result<()> {
    let dataset = Dataset::read(&args.file)?;
    let found =
        verify(&model_directory(&args.model)?, &args.packed, &dataset, args.decoding.options(), device)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&to_json(&found))?);
        return Ok(());
    }
    let Verification { float, packed, logits, changed, .. } = &found;
    for (name, scores) in [("f32 ", float.scores), ("int8", packed.scores)] {
        println!("{name}  EM {:.2}  F1 {:.2}", scores.exact_match, scores.f1);
    }
    println!(
        "logits  mean difference {:.2} %, worst {:.2} % of their spread ({:.3})",
        100.0 * logits.mean,
        100.0 * logits.worst,
        logits.spread
    );
    for (count, by) in [
        (found.texts_cut_differently, "the packed tokenizer"),
        (found.texts_cut_differently_by_json, "tokenizer.json alone, without tokenizer_config.json"),
    ] {
        if count > 0 {
            println!("{count} texts are cut to other tokens by {by}");
        }
    }
    let Scores { total, .. } = float.scores;
    println!("{} of {total} answers changed ({} windows)", changed.len(), float.windows);
    for question in changed {
        println!(
            "{}  {}  f32 {:?}, int8 {:?}",
            question.id, question.question, question.float, question.packed
        );
    }
    Ok(())
}

fn to_json(found: &Verification) -> Value {
    let scores = |scores: Scores| json!({"exact_match": scores.exact_match, "f1": scores.f1});
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
        "questions": found.float.scores.total,
        "windows": found.float.windows,
        "texts_cut_differently": found.texts_cut_differently,
        "texts_cut_differently_by_tokenizer_json": found.texts_cut_differently_by_json,
        "changed": changed.collect::<Vec<_>>(),
    })
}
