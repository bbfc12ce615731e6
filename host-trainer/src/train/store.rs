//! The checkpoints of a run: `OUT/checkpoints/step-00000040/`, each a Hugging Face directory that also holds what the
//! run needs to go on. A directory of that name is always whole: it is filled under another name, synced, and renamed.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

const FOLDER: &str = "checkpoints";
const PREFIX: &str = "step-";
/// Names of directories that are being filled or removed begin so.
const UNFINISHED: &str = ".unfinished-";

/// The folder of a run's checkpoints.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The checkpoints in `out`; nothing is made yet.
    pub fn new(out: &Path) -> Self {
        Store { folder: out.join(FOLDER) }
    }

    /// The directory of a step.
    pub fn path(&self, step: usize) -> PathBuf {
        self.folder.join(format!("{PREFIX}{step:08}"))
    }

    /// The steps of all whole checkpoints, in their order.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn steps(&self) -> Result<Vec<usize>> {
        let mut steps: Vec<usize> =
            self.names()?.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok()).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    fn names(&self) -> Result<Vec<String>> {
        let read = || -> Result<Vec<String>> {
            let mut names = Vec::new();
            match fs::read_dir(&self.folder) {
                Ok(entries) => {
                    for entry in entries {
                        names.extend(entry?.file_name().into_string().ok());
                    }
                }
                // Where there is no such folder, there are no checkpoints.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(names)
        };
        read().with_context(|| format!("{}: cannot read", self.folder.display()))
    }

    /// Makes the folder and removes what a killed run left unfinished.
    ///
    /// # Errors
    /// A failure to make or remove; the message names the place.
    pub fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("{}: cannot make the directory", self.folder.display()))?;
        for name in self.names()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            remove(&self.folder.join(name))?;
        }
        Ok(())
    }

    /// Writes the checkpoint of a step: `fill` writes and syncs the files of the directory that it is given.
    ///
    /// # Errors
    /// A failure to write. Nothing of the checkpoint stays then, and those before it are as they were; the message
    /// says which is the newest.
    pub fn write(&self, step: usize, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{step:08}"));
        let write = || -> Result<()> {
            self.prepare()?;
            fs::create_dir(&unfinished)
                .with_context(|| format!("{}: cannot make the directory", unfinished.display()))?;
            fill(&unfinished)?;
            let path = self.path(step);
            if path.exists() {
                self.discard(step)?;
            }
            let rename = || -> std::io::Result<()> {
                sync(&unfinished)?;
                fs::rename(&unfinished, &path)?;
                sync(&self.folder)
            };
            rename().with_context(|| format!("{}: cannot write", path.display()))
        };
        write().with_context(|| {
            // What is half written only takes room; a failure to remove it adds nothing to the message.
            let _ = remove(&unfinished);
            match self.steps().ok().and_then(|steps| steps.last().copied()) {
                Some(last) => format!(
                    "the checkpoint of step {step} was not saved (mend the cause, then add --resume to go on \
                     from step {last})"
                ),
                None => format!("the checkpoint of step {step} was not saved, and there is none before it"),
            }
        })
    }

    /// Removes all but the newest `keep` checkpoints and that of the step `best`.
    ///
    /// # Errors
    /// A failure to remove.
    pub fn retain(&self, keep: usize, best: Option<usize>) -> Result<()> {
        let steps = self.steps()?;
        let old = steps.len().saturating_sub(keep.max(1));
        for &step in steps[..old].iter().filter(|&&step| Some(step) != best) {
            self.discard(step)?;
        }
        Ok(())
    }

    /// Removes every checkpoint.
    ///
    /// # Errors
    /// A failure to remove.
    pub fn clear(&self) -> Result<()> {
        self.steps()?.into_iter().try_for_each(|step| self.discard(step))
    }

    /// Removes a checkpoint; it loses its name first, so that a kill in between leaves no half of it.
    fn discard(&self, step: usize) -> Result<()> {
        let (path, unfinished) = (self.path(step), self.folder.join(format!("{UNFINISHED}old-{step:08}")));
        fs::rename(&path, &unfinished).with_context(|| format!("{}: cannot remove", path.display()))?;
        remove(&unfinished)
    }

    /// Refuses to begin a run where another one left checkpoints.
    ///
    /// # Errors
    /// When there are any.
    pub fn check_empty(&self) -> Result<()> {
        if let Some(last) = self.steps()?.last() {
            ensure!(
                false,
                "{}: holds a run at step {last}; add --resume to go on with it, or --overwrite to begin anew",
                self.folder.display()
            );
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot remove", path.display()))
        }
        _ => Ok(()),
    }
}

/// Waits until the names in a directory are on the disk.
fn sync(directory: &Path) -> std::io::Result<()> {
    // Elsewhere a directory cannot be opened as a file.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use anyhow::{Result, bail};

    use super::Store;

    #[test]
    fn the_newest_and_the_best_stay() -> Result<()> {
        let root = tempfile::tempdir()?;
        let store = Store::new(root.path());
        assert_eq!(store.steps()?, [0usize; 0]);
        for step in [5, 10, 15, 20, 100] {
            store.write(step, |path| Ok(std::fs::write(path.join("file"), step.to_string())?))?;
            store.retain(2, Some(10))?;
        }
        assert_eq!(store.steps()?, [10, 20, 100]);
        assert_eq!(std::fs::read_to_string(store.path(10).join("file"))?, "10");
        store.write(100, |path| Ok(std::fs::write(path.join("file"), "anew")?))?;
        assert_eq!(std::fs::read_to_string(store.path(100).join("file"))?, "anew");
        assert!(store.check_empty().is_err());
        store.clear()?;
        store.check_empty()
    }

    #[test]
    fn a_failed_save_leaves_what_was_there() -> Result<()> {
        let root = tempfile::tempdir()?;
        let store = Store::new(root.path());
        store.write(1, |path| Ok(std::fs::write(path.join("file"), "one")?))?;
        let failed = store.write(2, |path| {
            std::fs::write(path.join("file"), "tw")?;
            bail!("the disk is full")
        });
        let message = format!("{:#}", failed.expect_err("a failure"));
        assert!(message.contains("go on from step 1") && message.contains("the disk is full"), "{message}");
        assert_eq!(store.names()?, ["step-00000001"]);
        Ok(())
    }

    #[test]
    fn what_a_killed_run_left_is_no_checkpoint() -> Result<()> {
        let root = tempfile::tempdir()?;
        let store = Store::new(root.path());
        store.write(1, |_| Ok(()))?;
        std::fs::create_dir(root.path().join("checkpoints/.unfinished-00000002"))?;
        assert_eq!(store.steps()?, [1]);
        store.prepare()?;
        assert_eq!(store.names()?, ["step-00000001"]);
        Ok(())
    }
}
