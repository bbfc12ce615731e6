//! Passages in files of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::documents;

/// Reads files that lie in, or are named from, one directory.
pub struct ContextFiles {
    directory: PathBuf,
    /// The last one: questions about one passage tend to follow each other.
    last: Option<(PathBuf, Arc<str>)>,
}

impl ContextFiles {
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), last: None }
    }

    /// The text of a file; or why there is none, on one line.
    pub fn read(&mut self, name: &str) -> Result<Arc<str>, String> {
        let path = self.directory.join(name);
        match &self.last {
            Some((last, text)) if *last == path => Ok(Arc::clone(text)),
            _ => {
                let document = documents::read(&path).map_err(|error| format!("context_file: {error:#}"))?;
                let text = document.text;
                self.last = Some((path, Arc::clone(&text)));
                Ok(text)
            }
        }
    }
}
