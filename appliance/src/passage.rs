//! Reading the passage.

use core::fmt;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cli::PassageArgs;
use crate::documents::{self, Document};

pub use crate::documents::is_stdin;

/// A text and where it came from.
pub struct Passage {
    pub document: Document,
    pub origin: Origin,
}

/// Where a passage came from, for messages.
pub enum Origin {
    Argument,
    File(PathBuf),
    Stdin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("--context"),
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

impl PassageArgs {
    /// Whether something comes from standard input.
    pub fn is_stdin(&self) -> bool {
        self.context.is_none()
            && self.index.is_none()
            && self.folder.is_none()
            && (self.context_file.is_empty() || self.context_file.iter().any(|path| is_stdin(path)))
    }

    /// What is asked, for people.
    pub fn what(&self) -> &'static str {
        let several = self.index.is_some() || self.folder.is_some() || self.has_documents();
        if several { "these documents" } else { "this passage" }
    }

    /// Whether there may be several passages: several files, or a directory.
    pub fn has_documents(&self) -> bool {
        match self.context_file.as_slice() {
            [] => false,
            [path] => !is_stdin(path) && path.is_dir(),
            _ => true,
        }
    }
}

impl Passage {
    /// The text of the arguments, or standard input; unless it is asked for by `-`, not from a terminal.
    pub fn read(args: &PassageArgs) -> Result<Self> {
        if let Some(text) = &args.context {
            return Ok(Self { document: Document::plain(text.as_str()), origin: Origin::Argument });
        }
        match args.context_file.first() {
            Some(path) => Self::read_file(path),
            None if io::stdin().is_terminal() => {
                bail!("no passage: give --context TEXT or --context-file FILE, or pipe the text in")
            }
            None => Self::read_file("-".as_ref()),
        }
    }

    /// The text of a file, or of standard input.
    pub fn read_file(path: &Path) -> Result<Self> {
        if !is_stdin(path) {
            return Ok(Self { document: documents::read(path)?, origin: Origin::File(path.to_owned()) });
        }
        let origin = Origin::Stdin;
        let bytes = documents::read_all(io::stdin().lock()).map_err(|error| {
            anyhow!("{origin}: cannot read the passage: {error}; name a file of plain text")
        })?;
        let document = Document::from_bytes(bytes, None).with_context(|| origin.to_string())?;
        Ok(Self { document, origin })
    }
}
