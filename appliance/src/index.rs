//! `blockspan index`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use blockspan_retrieval::{Index as Bytes, IndexError};

use crate::batch::SOME_ERRORS;
use crate::cli::Index;
use crate::output::{self, NewFile};
use crate::search::{Folder, Report};

/// Reads the folder, or what has changed of it, and writes the index; returns the exit status.
pub fn run(args: &Index) -> Result<u8> {
    let start = Instant::now();
    let out = NewFile::prepare(&args.out)?;
    let old = if out.is_stdout() { None } else { older(&args.out)? };
    let Folder { bytes, report } = Folder::read(&args.folder, old.as_ref())?;
    // Read as it will be: what is written is what was checked.
    let index =
        Bytes::new(bytes).map_err(|error| anyhow!("{}: {error}; please report it", args.out.display()))?;
    out.write_bytes(index.bytes())?;
    report.lines().iter().for_each(|line| output::note(line));
    let Report { read, kept, gone, failed, .. } = &report;
    output::note(&format!(
        "{}: {} documents ({read} read, {kept} unchanged, {gone} gone), {} passages, {} words, {} bytes; {:.2} s",
        args.out.display(),
        index.documents(),
        index.passages(),
        index.words(),
        index.bytes().len(),
        start.elapsed().as_secs_f64()
    ));
    Ok(if failed.is_empty() { 0 } else { SOME_ERRORS })
}

/// The index that is to be brought up to date. One that is damaged or of another version is made anew; what is none at all
/// is not written over.
fn older(path: &Path) -> Result<Option<Bytes>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        // There is none, or it cannot be read, which does not matter.
        Err(_) => return Ok(None),
    };
    match Bytes::new(bytes) {
        Ok(index) => Ok(Some(index)),
        Err(IndexError::NotAnIndex) => {
            bail!("{}: is there, and is no index; name another file with --out, or remove it", path.display())
        }
        Err(error) => {
            output::note(&format!("note: {}: {error}; all files are read again", path.display()));
            Ok(None)
        }
    }
}
