//! A file that is written over a long time, and that a run which was stopped leaves for the next one.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::NewFile;

/// What the name of a file ends with until it is complete.
const SUFFIX: &str = ".partial";

/// A file that grows line by line under the name `FILE.partial` and gets its own when it is complete.
pub struct PartialFile {
    /// As the user named it.
    shown: PathBuf,
    /// Where that leads.
    target: PathBuf,
    partial: PathBuf,
    /// Locked, so that two runs do not write the same one.
    file: File,
    finished: bool,
}

impl PartialFile {
    /// Makes the file. Where there is one already, it is opened to `resume`, or refused. A complete file is continued, as
    /// a copy.
    pub fn open(path: &Path, resume: bool) -> Result<Self> {
        let Some(target) = NewFile::prepare(path)?.into_target() else {
            bail!("--out -: standard output cannot be gone on with; name a file");
        };
        let mut name = OsString::from(&target);
        name.push(SUFFIX);
        let partial = PathBuf::from(name);
        let shown = path.to_owned();
        let failed = |error| cannot_write(&partial, &error);
        if resume && !partial.exists() && target.exists() {
            // A copy that is cut short is a beginning, too.
            fs::copy(&target, &partial).map_err(failed)?;
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(!resume)
            .create(true)
            .truncate(false)
            .open(&partial);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
                "{}: left by a run that did not end; use --resume to go on with it, or remove it",
                partial.display()
            ),
            file => file.map_err(failed)?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                bail!("{}: another run is writing it; give another --out", partial.display())
            }
            // Some file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if !file.metadata().map_err(failed)?.is_file() {
            bail!("{}: not a regular file; give another --out", partial.display());
        }
        Ok(Self { shown, target, partial, file, finished: false })
    }

    /// What is there already, and where writing goes on.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where the file is until it is complete, for messages.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Adds a line; it is in the file, as far as other processes see, when this returns.
    pub fn write(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).map_err(|error| cannot_write(&self.partial, &error))
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        // What is replaced keeps who may read it.
        let permissions = self.target.metadata().map(|old| old.permissions());
        permissions
            .map_or(Ok(()), |permissions| self.file.set_permissions(permissions))
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.partial, &self.target))
            .map_err(|error| cannot_write(&self.shown, &error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    /// Nothing is left where there is nothing to go on with.
    fn drop(&mut self) {
        if !self.finished && self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!("{}: cannot write: {error}; make room, then use --resume", path.display())
}
