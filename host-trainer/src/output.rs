//! What the program writes: files that are never half there, standard output, remarks on standard error.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::Permissions;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_squad::printable;
use tempfile::NamedTempFile;

/// Stands for standard output in place of a file to write, and for standard input in place of one to read.
const STANDARD: &str = "-";

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Whether this is `-`: standard input or output in place of a file.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD)
}

/// Prints on standard output. A reader that has gone away is no error.
///
/// # Errors
/// Another failure to write, such as a full disk.
pub fn print(text: &str) -> Result<()> {
    write_stdout(text.as_bytes())
}

/// Whether remarks are left to another process.
static MUTED: AtomicBool = AtomicBool::new(false);

/// From now on [`remark`] prints nothing: another worker of the same run says the same.
pub fn mute_remarks() {
    MUTED.store(true, Ordering::Relaxed);
}

/// Prints a line on standard error as [`note`] does, unless remarks are muted.
pub fn remark(line: &str) {
    if !MUTED.load(Ordering::Relaxed) {
        note(line);
    }
}

/// Prints a line on standard error, with what could steer the terminal spelled out. A failure is no error: what nobody
/// can read must not end the work.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(line));
}

/// Writes a file as [`write_atomically`] does, or standard output where `path` is `-`.
///
/// # Errors
/// As there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_standard(path) { write_stdout(bytes) } else { write_atomically(path, bytes) }
}

/// Finds out whether [`write()`] can write text to `path`, before the work is done whose result it will hold.
///
/// # Errors
/// As for [`write_atomically`].
pub fn check_text(path: &Path) -> Result<()> {
    if is_standard(path) { Ok(()) } else { check_file(path) }
}

/// As [`check_text`] for what is no text.
///
/// # Errors
/// As there; or standard output that is a terminal.
pub fn check_binary(path: &Path) -> Result<()> {
    ensure!(
        !(is_standard(path) && io::stdout().is_terminal()),
        "-: standard output is a terminal; redirect it, or name a file to write"
    );
    check_text(path)
}

fn check_file(path: &Path) -> Result<()> {
    target(path).and_then(|target| temporary(&target)).with_context(|| failed(path)).map(drop)
}

/// Writes a file under a temporary name beside it, then renames that: a file of its name is always whole. A symbolic
/// link stays, and what it leads to is written. A file that was there keeps its permissions.
///
/// # Errors
/// Something that is not a regular file, which a rename would replace, or a failure to write; the message names the
/// file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let replace = || -> io::Result<()> {
        let target = target(path)?;
        let mut file = temporary(&target)?;
        // Past the wrapper, whose errors name the temporary file.
        file.as_file_mut().write_all(bytes)?;
        if let Some(before) =
            permissions(&target).filter(|before| permissions(file.path()) != Some(before.clone()))
        {
            file.as_file().set_permissions(before)?;
        }
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    replace().with_context(|| failed(path))
}

/// Makes `directory` if it is missing, and checks that files can be made in it.
///
/// # Errors
/// A directory that cannot be made or written; the message names it.
pub fn check_writable(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot make the directory", directory.display()))?;
    let file = tempfile::tempfile_in(directory).map_err(without_path);
    file.with_context(|| format!("{}: cannot write; give another directory", directory.display())).map(drop)
}

fn failed(path: &Path) -> String {
    format!("{}: cannot write", path.display())
}

fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow!("standard output: cannot write: {error}"))
        }
        _ => Ok(()),
    }
}

/// The regular file that `path` names or will name: where its symbolic links lead.
fn target(path: &Path) -> io::Result<PathBuf> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other(if metadata.is_dir() {
                "it is a directory; name a file in it"
            } else {
                "not a regular file; name another"
            }));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = std::fs::read_link(&target) else { return Ok(target) };
        // A relative link counts from its own directory; an absolute one replaces all before it.
        target = directory_of(&target).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside `target`, removed when dropped.
fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".blockspan-");
    // Temporary files are private to their owner; a model is not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory_of(target)).map_err(without_path)
}

fn permissions(path: &Path) -> Option<Permissions> {
    path.metadata().ok().map(|metadata| metadata.permissions())
}

/// The reason alone: the path that `tempfile` adds to it is none that the user knows.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    let reason = text.split(" at path ").next().unwrap_or_default();
    io::Error::new(error.kind(), reason.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    use std::path::Path;
    use std::process::Command;

    use super::{check_text as check, write_atomically};

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_symbolic_link_stays_and_its_target_is_written() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let root = root.path();
        fs::create_dir(root.join("elsewhere"))?;
        symlink("second", root.join("first"))?;
        symlink("elsewhere/file", root.join("second"))?;
        for content in ["made", "replaced"] {
            check(&root.join("first"))?;
            write_atomically(&root.join("first"), content.as_bytes())?;
            assert_eq!(fs::read_to_string(root.join("elsewhere/file"))?, content);
        }
        for link in ["first", "second"] {
            assert!(root.join(link).symlink_metadata()?.is_symlink(), "{link}");
        }
        assert_eq!(names(root), ["elsewhere", "first", "second"]);
        assert_eq!(names(&root.join("elsewhere")), ["file"]);
        symlink("loop", root.join("loop"))?;
        assert!(write_atomically(&root.join("loop"), b"").is_err());
        Ok(())
    }

    #[test]
    fn what_is_not_a_regular_file_is_not_replaced() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let fifo = root.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status()?.success());
        let link = root.path().join("link");
        symlink(&fifo, &link)?;
        for path in [&fifo, &link, Path::new("/dev/null")] {
            for result in [check(path), write_atomically(path, b"bytes")] {
                let message = format!("{:#}", result.expect_err("refused"));
                let expected = format!("{}: cannot write: not a regular file; name another", path.display());
                assert_eq!(message, expected);
            }
        }
        let message = format!("{:#}", check(root.path()).expect_err("refused"));
        assert!(message.ends_with(": cannot write: it is a directory; name a file in it"), "{message}");
        assert!(fifo.symlink_metadata()?.file_type().is_fifo());
        assert!(Path::new("/dev/null").metadata()?.file_type().is_char_device());
        Ok(())
    }

    #[test]
    fn messages_name_the_users_path_and_no_temporary_file() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let path = root.path().join("missing/file");
        for result in [check(&path), write_atomically(&path, b"bytes")] {
            let message = format!("{:#}", result.expect_err("refused"));
            assert_eq!(
                message,
                format!("{}: cannot write: No such file or directory (os error 2)", path.display())
            );
        }
        Ok(())
    }

    #[test]
    fn a_file_keeps_its_permissions() -> anyhow::Result<()> {
        let root = tempfile::tempdir()?;
        let path = root.path().join("file");
        fs::write(&path, "private")?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        write_atomically(&path, b"still private")?;
        assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path)?, b"still private");
        Ok(())
    }
}
