//! Reading the small files of a model directory, with errors in the words of their reader.

mod json;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};

pub(crate) use json::Object;

/// How the text begins that stands for a large file until Git LFS fetches it
/// (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The text of a file.
///
/// # Errors
/// A file that cannot be read, is not UTF-8 or is a Git LFS pointer; the message names it.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot read", path.display()))?;
    refuse_lfs_pointer(path, &bytes)?;
    String::from_utf8(bytes).ok().with_context(|| {
        format!("{}: it is not UTF-8 text; save it as UTF-8 or fetch it again", path.display())
    })
}

/// The first bytes of a file, as many as [`refuse_lfs_pointer`] looks at or fewer.
///
/// # Errors
/// A file that cannot be read; the message names it.
pub(crate) fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut read = || -> std::io::Result<usize> {
        File::open(path)?.take(LFS_POINTER.len() as u64).read_to_end(&mut bytes)
    };
    read().with_context(|| format!("{}: cannot read", path.display()))?;
    Ok(bytes)
}

/// Refuses a file that begins like a Git LFS pointer.
///
/// # Errors
/// When it does; the message names the file and the remedy.
pub(crate) fn refuse_lfs_pointer(path: &Path, begin: &[u8]) -> Result<()> {
    if begin.starts_with(LFS_POINTER) {
        bail!(
            "{}: it is a Git LFS pointer, which only stands for the file; run git lfs pull in its directory, or \
             fetch the file itself",
            path.display()
        );
    }
    Ok(())
}
