//! What the commands print and write.

pub mod json;
mod new_file;
mod partial_file;
pub mod text;

use std::io::{self, Write};

use anyhow::{Result, anyhow};

pub use blockspan_squad::{printable, printable_lines};
pub use new_file::NewFile;
pub use partial_file::PartialFile;

/// Prints on stdout. A reader that has gone away is no error.
pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print()`], for what is no text.
pub fn print_bytes(content: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    delivered(stdout.write_all(content).and_then(|()| stdout.flush())).map(drop)
}

/// Whether what was written on stdout has a reader; other failures are errors.
pub fn delivered(written: io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow!("standard output: cannot write: {error}; make room, or send it elsewhere")),
    }
}

/// Prints a line on stderr, if anybody listens there. It may quote names and texts from anywhere.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(line));
}
