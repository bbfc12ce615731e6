//! Writes the smallest models into a directory, for the fuzz targets: `fuzz/pack-models.sh` calls it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use blockspan_tests::smallest::SMALLEST;
use blockspan_trainer::output::write_atomically;

fn main() -> Result<()> {
    let directory: PathBuf = std::env::args_os().nth(1).context("give a directory")?.into();
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    for spec in SMALLEST {
        write_atomically(&directory.join(format!("{}.bspan", spec.name)), &spec.pack()?)?;
    }
    Ok(())
}
