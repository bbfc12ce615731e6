//! A model and the bytes that it is borrowed from, as one value.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use blockspan_engine::{AlignedBytes, MappedFile, Model, ParseError};
use self_cell::self_cell;

use crate::error::BuildError;

/// The bytes of a model, wherever they are: a file that is mapped or was read, or a part of the program.
#[derive(Debug)]
pub struct ModelBytes(Place);

#[derive(Debug)]
enum Place {
    Mapped(MappedFile),
    Owned(AlignedBytes),
    Static(&'static [u8]),
}

impl ModelBytes {
    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Mapped(file) => file.bytes(),
            Place::Owned(bytes) => bytes,
            Place::Static(bytes) => bytes,
        }
    }
}

impl From<MappedFile> for ModelBytes {
    fn from(file: MappedFile) -> Self {
        Self(Place::Mapped(file))
    }
}

impl From<AlignedBytes> for ModelBytes {
    fn from(bytes: AlignedBytes) -> Self {
        Self(Place::Owned(bytes))
    }
}

impl From<&'static [u8]> for ModelBytes {
    /// They begin at a multiple of 64 in memory.
    fn from(bytes: &'static [u8]) -> Self {
        Self(Place::Static(bytes))
    }
}

self_cell!(
    struct Parsed {
        owner: ModelBytes,
        #[covariant]
        dependent: Model,
    }
);

/// A model that owns its bytes. Checked once; a clone is a reference to the same model.
#[derive(Clone)]
pub struct SharedModel(Arc<Parsed>);

impl SharedModel {
    /// Checks the bytes.
    ///
    /// ```
    /// use blockspan_reader::SharedModel;
    /// use blockspan_reader::engine::MappedFile;
    ///
    /// // SAFETY: models are replaced by renaming a new file over the old one, never changed in place.
    /// let file = unsafe { MappedFile::open("../fixtures/default.bspan")? };
    /// let model = SharedModel::new(file)?;
    /// assert_eq!(model.model().config().hidden, 384);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ParseError`] names the section and the reason.
    pub fn new(bytes: impl Into<ModelBytes>) -> Result<Self, ParseError> {
        Parsed::try_new(bytes.into(), |bytes| Model::parse(bytes.bytes()))
            .map(|parsed| Self(Arc::new(parsed)))
    }

    /// Reads a file into memory and checks it. That takes as much memory as the file has bytes;
    /// [`new`](Self::new) with a [`MappedFile`] takes none, but asks for a promise.
    ///
    /// # Errors
    /// [`BuildError::File`], [`BuildError::Parse`]; both name the file.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let path = path.as_ref();
        let bytes = AlignedBytes::read_file(path)?;
        Self::new(bytes).map_err(|error| BuildError::Parse { name: path.display().to_string(), error })
    }

    /// The bytes that it was made of: the whole file.
    pub fn bytes(&self) -> &[u8] {
        self.0.borrow_owner().bytes()
    }

    /// The model.
    pub fn model(&self) -> &Model<'_> {
        self.0.borrow_dependent()
    }
}

impl fmt::Debug for SharedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedModel").field(self.model()).finish()
    }
}
