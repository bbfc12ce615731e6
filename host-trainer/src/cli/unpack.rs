//! `unpack`: a packed file as a model directory again.

use std::path::PathBuf;

use anyhow::Result;
use blockspan_trainer::{output, unpack};
use clap::Args;

#[derive(Args)]
pub struct Unpack {
    /// Packed model
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Directory to make, with the model in Hugging Face's layout, f32
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Unpacks and says what to do with it.
pub fn unpack_model(args: &Unpack) -> Result<()> {
    unpack::unpack(&args.model, &args.out)?;
    output::print(&format!(
        "{}: written; train it further with finetune --base, its zeros kept by --schedule lock\n",
        args.out.display()
    ))
}
