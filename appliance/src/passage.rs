//! Reading the passage.

use core::fmt;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};

use crate::cli::PassageArgs;

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

impl Passage {
    /// The text of the arguments, or standard input unless that is a terminal.
    pub fn read(args: &PassageArgs) -> Result<Self> {
        if let Some(text) = &args.context {
            return Ok(Self { text: text.clone(), origin: Origin::Argument });
        }
        let (origin, bytes) = match &args.context_file {
            Some(path) => (Origin::File(path.clone()), std::fs::read(path)),
            None => (Origin::Stdin, read_stdin()?),
        };
        let bytes = bytes.map_err(|error| anyhow!("{origin}: cannot read the passage: {error}"))?;
        let text = utf8(bytes).with_context(|| origin.to_string())?;
        Ok(Self { text, origin })
    }
}

fn read_stdin() -> Result<std::io::Result<Vec<u8>>> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        bail!("no passage: give --context TEXT or --context-file FILE, or pipe the text in");
    }
    let mut bytes = Vec::new();
    Ok(stdin.read_to_end(&mut bytes).map(|_| bytes))
}

/// The bytes as text; the error tells the first byte that is not UTF-8.
fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        anyhow!("not UTF-8 at byte {at} (line {line}); convert the text, for example with iconv -t UTF-8")
    })
}
