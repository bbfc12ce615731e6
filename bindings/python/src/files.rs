//! Models of files: each is mapped and checked once in a process, whatever the number of `Model`s.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use blockspan_reader::SharedModel;
use blockspan_reader::engine::MappedFile;
use pyo3::exceptions::{PyIsADirectoryError, PyOSError};
use pyo3::prelude::*;

use crate::failure::parsing;

/// The models that somebody has, by their files' names.
static MODELS: Mutex<Option<HashMap<PathBuf, Entry>>> = Mutex::new(None);

struct Entry {
    version: Version,
    model: Weak<SharedModel>,
}

/// What tells a file from one that replaced it.
#[derive(PartialEq)]
struct Version {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: Option<u64>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = Some(std::os::unix::fs::MetadataExt::ino(metadata));
        #[cfg(not(unix))]
        let inode = None;
        Self { bytes: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

/// The model of a file: the one that this process has already, or a new one. The caller holds the GIL, and nothing in here
/// lets go of it, so that no fork happens while the list is locked.
///
/// # Errors
/// `OSError` and its kinds for a file that cannot be read, `ModelError` for one that is no model.
pub(crate) fn open(path: &Path) -> PyResult<Arc<SharedModel>> {
    let shown = path.display();
    let unread = |error: std::io::Error| {
        PyErr::from(std::io::Error::new(error.kind(), format!("{shown}: {error}; name a .bspan file")))
    };
    let place = path.canonicalize().map_err(unread)?;
    let metadata = place.metadata().map_err(unread)?;
    // Found out before opening, which would wait for the other end of a pipe.
    if metadata.is_dir() {
        return Err(PyIsADirectoryError::new_err(format!("{shown}: is a directory; name a .bspan file")));
    }
    if !metadata.is_file() {
        return Err(PyOSError::new_err(format!("{shown}: is not a regular file; name a .bspan file")));
    }
    let version = Version::of(&metadata);
    let mut list = MODELS.lock().unwrap_or_else(PoisonError::into_inner);
    let models = list.get_or_insert_default();
    if let Some(entry) = models.get(&place)
        && entry.version == version
        && let Some(model) = entry.model.upgrade()
    {
        return Ok(model);
    }
    let model = Arc::new(map(path)?);
    models.retain(|_, entry| entry.model.strong_count() > 0);
    models.insert(place, Entry { version, model: Arc::downgrade(&model) });
    Ok(model)
}

#[expect(unsafe_code, reason = "the one mapping call")]
fn map(path: &Path) -> PyResult<SharedModel> {
    // SAFETY: as the README asks, whoever may write the file leaves it alone while a program uses it, and replaces a model
    // by renaming a new one over it, as pip does. A private copy would need no such promise, but as much memory again as
    // the model in each process.
    let file = unsafe { MappedFile::open(path) }
        .map_err(|error| std::io::Error::new(error.kind(), format!("{error}; name a .bspan file")))?;
    SharedModel::new(file).map_err(|error| parsing(&path.display().to_string(), &error))
}
