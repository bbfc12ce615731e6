//! What the commands print and write.

pub mod json;
pub mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::Answer;

/// What came of a question.
pub struct Reply<'a> {
    pub question: &'a str,
    pub passage: &'a str,
    /// Best first.
    pub answers: &'a [Answer],
    pub null_diff: f32,
    /// Above it there are no answers.
    pub null_threshold: f32,
}

impl<'a> Reply<'a> {
    /// The text of an answer.
    fn text_of(&self, answer: &Answer) -> &'a str {
        self.passage.get(answer.start..answer.end).unwrap_or_default()
    }
}

/// Prints on stdout. A reader that has gone away is no error.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    delivered(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())).map(drop)
}

/// Whether what was written on stdout has a reader; other failures are errors.
pub fn delivered(written: io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow!("standard output: cannot write: {error}")),
    }
}

/// Prints a line on stderr, if anybody listens there.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A file that appears under its name only when it is complete.
pub struct NewFile {
    path: PathBuf,
}

impl NewFile {
    /// Finds out whether the file can be written, before the work is done that it will hold.
    pub fn prepare(path: &Path) -> Result<Self> {
        let file = Self { path: path.to_owned() };
        // A rename would put the file in a device's or a directory's place.
        let replaceable = path.metadata().map_or(true, |metadata| metadata.is_file());
        ensure!(replaceable, "{}: cannot write: not a regular file; name another", path.display());
        file.temporary()?;
        Ok(file)
    }

    /// Writes the file.
    pub fn write(self, bytes: &[u8]) -> Result<()> {
        let mut file = self.temporary()?;
        let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
        written
            .and_then(|()| file.persist(&self.path).map(drop).map_err(|error| error.error))
            .with_context(|| self.failed())
    }

    /// A file in the same directory, removed when dropped.
    fn temporary(&self) -> Result<tempfile::NamedTempFile> {
        let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".blockspan-").suffix(".tmp");
        // Temporary files are private to their owner; results are not.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(directory).with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        format!("{}: cannot write", self.path.display())
    }
}
