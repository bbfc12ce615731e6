//! A file of questions.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::context_file::ContextFiles;
use crate::passage::is_stdin;

/// Bytes of the longest line or row. A file without an end is refused before it fills the memory.
pub const MAX_LINE: u64 = 1 << 28;

/// A file and its place among the others.
pub struct Origin {
    pub path: PathBuf,
    /// What its items say of it.
    pub name: Option<Arc<str>>,
    /// Bytes of the files before it.
    pub before: u64,
    /// Whether its questions are about an index, whatever passages it has.
    pub searched: bool,
}

impl Origin {
    /// For messages.
    pub fn shown(&self) -> String {
        if is_stdin(&self.path) { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    pub fn reader(&self) -> Result<Box<dyn Read>> {
        if is_stdin(&self.path) {
            return Ok(Box::new(io::stdin()));
        }
        let file = File::open(&self.path).map_err(|error| cannot_read(&self.path, &error))?;
        Ok(Box::new(file))
    }

    /// Files that its items name lie beside it.
    pub fn context_files(&self) -> ContextFiles {
        let directory = self.path.parent().filter(|_| !is_stdin(&self.path)).unwrap_or(Path::new(""));
        ContextFiles::new(directory)
    }
}

/// Names the file and what to do.
pub fn cannot_read(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!("{}: cannot read the questions: {error}; name a file of questions", path.display())
}
