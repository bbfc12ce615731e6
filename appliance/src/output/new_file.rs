//! Files that the commands write.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::print_bytes;

/// The most symbolic links that are followed one after the other, as Linux has it.
const MAX_LINKS: usize = 40;

/// A file that appears under its name only when it is complete; or standard output, which is named `-`.
pub struct NewFile {
    /// As the user named it.
    path: PathBuf,
    /// Where that leads; none for standard output.
    target: Option<PathBuf>,
}

impl NewFile {
    /// Finds out whether the file can be written, before the work is done that it will hold. A symbolic link stays, and
    /// the file that it leads to is written; what is there and is not a regular file is refused.
    pub fn prepare(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { path: path.to_owned(), target: None });
        }
        let target = follow(path)?;
        // A rename would put the file in a device's or a directory's place.
        if target.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let reason = if target.is_dir() {
                "it is a directory; name a file in it"
            } else {
                "not a regular file; name another"
            };
            bail!("{}: cannot write: {reason}, or - for standard output", path.display());
        }
        let file = Self { path: path.to_owned(), target: Some(target.clone()) };
        file.temporary(&target)?;
        Ok(file)
    }

    /// Whether this is standard output.
    pub fn is_stdout(&self) -> bool {
        self.target.is_none()
    }

    /// Where the file will be; none for standard output.
    pub fn into_target(self) -> Option<PathBuf> {
        self.target
    }

    /// Writes the file.
    pub fn write(self, text: &str) -> Result<()> {
        self.write_bytes(text.as_bytes())
    }

    /// Writes a file that is no text.
    pub fn write_bytes(self, content: &[u8]) -> Result<()> {
        let Some(target) = &self.target else { return print_bytes(content) };
        let mut file = self.temporary(target)?;
        // What is replaced keeps who may read it.
        if let Ok(old) = target.metadata() {
            file.as_file().set_permissions(old.permissions()).map_err(|error| self.failed(&error))?;
        }
        let written = file.as_file_mut().write_all(content).and_then(|()| file.as_file().sync_all());
        written
            .and_then(|()| file.persist(target).map(drop).map_err(|error| error.error))
            .map_err(|error| self.failed(&error))
    }

    /// A file in the same directory, removed when dropped.
    fn temporary(&self, target: &Path) -> Result<tempfile::NamedTempFile> {
        let directory = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As any other new file: a temporary one of tempfile's own would be private to its owner.
        let create = |path: &Path| File::options().write(true).create_new(true).open(path);
        let made = tempfile::Builder::new().prefix(".blockspan-").suffix(".tmp").make_in(directory, create);
        made.map_err(|error| self.failed(&error))
    }

    /// Names the file that the user named, not the temporary one.
    fn failed(&self, error: &io::Error) -> anyhow::Error {
        anyhow!(
            "{}: cannot write: {error}; name a file in a directory that you can write",
            self.path.display()
        )
    }
}

/// The path at the end of the links that begin at `path`; nothing need be there.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match target.read_link() {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            // No link; or nothing at all, which whoever writes it finds out.
            Err(_) => return Ok(target),
        }
    }
    bail!("{}: cannot write: too many symbolic links; name another file", path.display())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::NewFile;

    fn write(path: &std::path::Path) -> Result<(), String> {
        NewFile::prepare(path).and_then(|file| file.write("new")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_link_is_followed_and_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        fs::write(at("deep/old"), "old").unwrap();
        symlink("deep/old", at("relative")).unwrap();
        symlink(at("relative"), at("absolute")).unwrap();
        symlink("deep/none-yet", at("dangling")).unwrap();
        for (link, target) in [("absolute", "deep/old"), ("dangling", "deep/none-yet")] {
            write(&at(link)).unwrap();
            assert!(at(link).is_symlink(), "{link}");
            assert!(!at(target).is_symlink(), "{target}");
            assert_eq!(fs::read_to_string(at(target)).unwrap(), "new");
        }
        assert_eq!(fs::read_dir(at("deep")).unwrap().count(), 2, "no temporary file stays");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_a_new_one_has_the_usual_ones() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mode = |name: &str| at(name).metadata().unwrap().permissions().mode() & 0o777;
        fs::write(at("old"), "old").unwrap();
        fs::set_permissions(at("old"), fs::Permissions::from_mode(0o604)).unwrap();
        fs::write(at("usual"), "").unwrap();
        write(&at("old")).unwrap();
        write(&at("new")).unwrap();
        assert_eq!((mode("old"), mode("new")), (0o604, mode("usual")));
    }

    #[test]
    fn links_in_a_circle_and_to_devices_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert!(write(&at("a")).unwrap_err().contains("too many symbolic links"));
        symlink("/dev/null", at("null")).unwrap();
        assert!(write(&at("null")).unwrap_err().contains("not a regular file"));
        assert!(write(directory.path()).unwrap_err().contains("it is a directory"));
    }

    #[test]
    fn the_name_in_a_message_is_the_users_and_not_the_temporary_one() {
        let error = write("/no/such/directory/out.json".as_ref()).unwrap_err();
        assert!(error.starts_with("/no/such/directory/out.json: cannot write: No such file"), "{error}");
        assert!(!error.contains(".tmp") && !error.contains(".blockspan"), "{error}");
    }
}
