//! Model bytes in memory of their own.

use core::fmt;
use core::ops::{Deref, DerefMut};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::vec::Vec;

use crate::file::{name_path, open_regular};
use crate::format::ALIGN;

/// Bytes that this value owns and that start at a multiple of 64 in memory, as [`crate::Model::parse`] wants them: for a
/// model from a network, from a decompressor, or from a file that somebody may change meanwhile.
///
/// What is read from it is what was checked: it is a private copy, whatever becomes of the place it came from.
///
/// ```
/// use blockspan_engine::{AlignedBytes, Model};
///
/// let bytes = AlignedBytes::read_file("../fixtures/default.bspan")?;
/// let model = Model::parse(&bytes)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct AlignedBytes {
    /// `skip` bytes, then the content.
    bytes: Vec<u8>,
    skip: usize,
}

impl AlignedBytes {
    /// Reads a file into memory.
    ///
    /// # Errors
    /// Whatever the operating system says, and [`io::ErrorKind::InvalidInput`] for something that is not a regular
    /// file; the message names the path.
    pub fn read_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let read = |file: File| {
            let expected = file.metadata()?.len();
            Self::read_all(file, usize::try_from(expected).map_err(|_| io::ErrorKind::OutOfMemory)?)
        };
        open_regular(path).and_then(read).map_err(|error| name_path(path, &error))
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// The reader's; [`io::ErrorKind::OutOfMemory`].
    pub fn read_from(reader: impl Read) -> io::Result<Self> {
        Self::read_all(reader, 0)
    }

    /// Reads to the end, into memory that is taken once if there are no more than `expected` bytes.
    fn read_all(mut reader: impl Read, expected: usize) -> io::Result<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(expected.saturating_add(ALIGN))?;
        let skip = padding(&bytes);
        bytes.resize(skip, 0);
        reader.read_to_end(&mut bytes)?;
        Ok(Self::align(bytes, skip))
    }

    /// Moves the content, which starts at `skip`, to an aligned place.
    fn align(mut bytes: Vec<u8>, skip: usize) -> Self {
        if padding(&bytes) == skip {
            return Self { bytes, skip };
        }
        let content = bytes.len().saturating_sub(skip);
        bytes.reserve_exact(ALIGN);
        let to = padding(&bytes);
        bytes.resize(bytes.len().max(to + content), 0);
        bytes.copy_within(skip..skip + content, to);
        bytes.truncate(to + content);
        Self { bytes, skip: to }
    }

    /// Leaves the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.skip.saturating_add(len));
    }
}

/// How far behind the start of its memory the first multiple of 64 lies.
fn padding(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr().wrapping_neg() % ALIGN
}

impl From<&[u8]> for AlignedBytes {
    /// A copy.
    fn from(content: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(content.len() + ALIGN);
        let skip = padding(&bytes);
        bytes.resize(skip, 0);
        bytes.extend_from_slice(content);
        Self { bytes, skip }
    }
}

impl From<Vec<u8>> for AlignedBytes {
    /// Moves the bytes, where they are not aligned, inside their own memory if that has room.
    fn from(bytes: Vec<u8>) -> Self {
        Self::align(bytes, 0)
    }
}

impl Clone for AlignedBytes {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.skip..).unwrap_or(&[])
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.skip..).unwrap_or(&mut [])
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBytes").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out bytes one at a time, so that memory grows on the way.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(to.len()).min(1);
            self.0.read(to.get_mut(..count).unwrap_or_default())
        }
    }

    #[test]
    fn every_way_in_gives_the_content_at_a_multiple_of_64() {
        for len in [0, 1, 63, 64, 65, 1000, 100_000] {
            let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let roomy = || {
                let mut bytes = Vec::with_capacity(len + 3 * ALIGN);
                bytes.extend_from_slice(&content);
                bytes
            };
            let all = [
                AlignedBytes::from(content.as_slice()),
                AlignedBytes::from(content.clone()),
                AlignedBytes::from(roomy()),
                AlignedBytes::read_from(Drip(&content)).unwrap(),
                AlignedBytes::read_all(Drip(&content), len).unwrap(),
                AlignedBytes::read_all(Drip(&content), len / 2).unwrap(),
                AlignedBytes::from(content.as_slice()).clone(),
            ];
            for (way, bytes) in all.iter().enumerate() {
                assert!(**bytes == *content, "{len} bytes, way {way}");
                assert!(bytes.as_ptr().addr().is_multiple_of(ALIGN), "{len} bytes, way {way}");
            }
        }
    }

    #[test]
    fn what_is_not_a_file_is_refused_by_name() {
        let error = AlignedBytes::read_file("no/such.bspan").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(std::string::ToString::to_string(&error).starts_with("no/such.bspan: "), "{error}");
        let error = AlignedBytes::read_file("src").unwrap_err();
        assert_eq!(
            std::string::ToString::to_string(&error),
            "src: cannot open the model: not a regular file"
        );
    }
}
