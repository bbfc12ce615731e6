//! Model files: opening them, and mapping them into memory.

use std::format;
use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// A file mapped read-only; hand its bytes to [`crate::Model::parse`].
///
/// A mapped file takes no memory of the process, and of a large model only the pages that are used are read. Where
/// nobody can promise that the file stays as it is, [`crate::AlignedBytes::read_file`] takes a private copy.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// Whatever the operating system says, and [`io::ErrorKind::InvalidInput`] for something that is not a regular
    /// file; the message names the path.
    ///
    /// # Safety
    /// While this value or anything borrowed from it lives, nobody changes or shortens the file: not this process
    /// through another handle, and no other process. To replace a model, write the new one under another name and
    /// rename it over the old, as `blockspan-trainer pack` does: the mapping then keeps the old file.
    ///
    /// Otherwise the behavior is undefined, whatever `Model::parse` said before: it checks the bytes that it sees,
    /// and kernels rely on them afterwards without looking at bounds.
    #[expect(unsafe_code, reason = "the one mapping call")]
    pub unsafe fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let map = |file: File| {
            // SAFETY: nobody changes the file while it is mapped, by the caller's promise.
            unsafe { Mmap::map(&file) }
        };
        let map = open_regular(path).and_then(map).map_err(|error| name_path(path, &error))?;
        Ok(Self { map })
    }

    /// The file's bytes, page-aligned.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// Opens a regular file. Anything else is refused before it is opened: that of a pipe would wait for its other end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    if !path.metadata()?.is_file() {
        return Err(refused());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

/// The error, its message with the path in front.
pub(crate) fn name_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: cannot open the model: {error}", path.display()))
}
