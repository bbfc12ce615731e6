//! Files by name, and those in directories.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use super::Kind;

/// Files in a fixed order: as they are named, and those of a directory by their names. Directories are read as they are
/// come to.
pub struct Files {
    left: VecDeque<File>,
    /// Also those that hold no text.
    all: bool,
}

/// A file, and whether it was named.
pub struct File {
    pub path: PathBuf,
    /// Not found in a directory.
    pub named: bool,
}

/// Whether the name stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Files {
    /// Files and directories as the user named them.
    pub fn new(paths: &[PathBuf]) -> Self {
        Self { left: paths.iter().map(|path| File { path: path.clone(), named: true }).collect(), all: false }
    }

    /// All files of a directory, what they hold or not.
    pub fn all(directory: &Path) -> Self {
        Self { left: VecDeque::from([File { path: directory.to_owned(), named: true }]), all: true }
    }
}

impl Iterator for Files {
    type Item = Result<File>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let file = self.left.pop_front()?;
            if is_stdin(&file.path) || !file.path.is_dir() {
                return Some(Ok(file));
            }
            match files_in(&file.path, self.all) {
                Ok(files) => files.into_iter().rev().for_each(|file| self.left.push_front(file)),
                Err(error) => {
                    let shown = file.path.display();
                    return Some(Err(anyhow!(
                        "{shown}: cannot read the directory: {error}; name one that you can read"
                    )));
                }
            }
        }
    }
}

/// Files of text and directories, in the order of their names. Hidden ones are left out, and links to directories, which
/// may lead round in a circle.
fn files_in(directory: &Path, all: bool) -> std::io::Result<Vec<File>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let wanted = || all || Kind::of(&path).is_some_and(Kind::is_built_in);
        // Of what a link leads to, only a regular file: a pipe would be waited for.
        if !hidden && (kind.is_dir() || wanted() && path.is_file()) {
            found.push(File { path, named: false });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
