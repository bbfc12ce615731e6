//! Reading the passage.

use core::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cli::PassageArgs;
use crate::encoding::utf8;

/// A text and where it came from.
pub struct Passage {
    pub text: String,
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
    /// Whether the passage comes from standard input.
    pub fn is_stdin(&self) -> bool {
        self.context.is_none() && self.context_file.as_deref().is_none_or(is_stdin)
    }
}

impl Passage {
    /// The text of the arguments, or standard input; unless it is asked for by `-`, not from a terminal.
    pub fn read(args: &PassageArgs) -> Result<Self> {
        if let Some(text) = &args.context {
            return Ok(Self { text: text.clone(), origin: Origin::Argument });
        }
        let (origin, bytes) = match &args.context_file {
            Some(path) if !is_stdin(path) => {
                return Ok(Self { text: read_file(path)?, origin: Origin::File(path.clone()) });
            }
            None if io::stdin().is_terminal() => {
                bail!("no passage: give --context TEXT or --context-file FILE, or pipe the text in")
            }
            _ => (Origin::Stdin, read(io::stdin().lock())),
        };
        let bytes = bytes.map_err(|error| {
            anyhow!("{origin}: cannot read the passage: {error}; name a file of plain text")
        })?;
        let text = utf8(bytes).with_context(|| origin.to_string())?;
        Ok(Self { text, origin })
    }
}

/// The text of a file.
pub fn read_file(path: &Path) -> Result<String> {
    let bytes = File::open(path).and_then(read).map_err(|error| {
        anyhow!("{}: cannot read the passage: {error}; name a file of plain text", path.display())
    })?;
    utf8(bytes).with_context(|| path.display().to_string())
}

/// All bytes, up to one more than the engine takes, so that a device without an end is refused and not read for ever.
fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(1 << 32).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the name stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
