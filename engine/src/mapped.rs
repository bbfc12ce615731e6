//! A model file, mapped into memory.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// A file mapped read-only; hand its bytes to [`crate::Model::parse`].
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// The file must not be changed while it is mapped (replace it by renaming a new one over it, as the trainer
    /// does): the checks of `Model::parse` hold for the bytes that it saw.
    ///
    /// # Errors
    /// Whatever the operating system says; something that is not a regular file.
    #[expect(unsafe_code, reason = "the one mapping call")]
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        // SAFETY: the map is read-only and private to this process's view; that nobody changes the file while it
        // is mapped is the condition stated above, kept by whoever owns the file.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map })
    }

    /// The file's bytes, page-aligned.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}
