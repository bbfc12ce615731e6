//! Where a model's bytes come from: a mapped file, or the default model in the binary.

use core::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use blockspan_engine::{AlignedBytes, MappedFile, Model, ParseError};
use blockspan_reader::SharedModel;

use crate::cli::ModelArgs;
use crate::passage::is_stdin;

impl ModelArgs {
    /// Refuses a model on standard input where that is needed for something else.
    pub fn check_not_stdin(&self, otherwise: &str) -> Result<()> {
        check_not_stdin(self.model.as_deref(), otherwise)
    }
}

/// Refuses a model on standard input where that cannot be.
pub fn check_not_stdin(model: Option<&Path>, otherwise: &str) -> Result<()> {
    ensure!(!model.is_some_and(is_stdin), "--model -: {otherwise}");
    Ok(())
}

/// The bytes of a model, not parsed yet.
pub enum ModelSource {
    /// The model compiled into the binary.
    #[cfg(default_model)]
    Default,
    /// A file.
    File { path: PathBuf, file: MappedFile },
    /// A file, in memory.
    #[cfg(feature = "serve")]
    Read { path: PathBuf, bytes: AlignedBytes },
    /// What came on standard input, in memory.
    Stdin(AlignedBytes),
}

#[cfg(default_model)]
mod default {
    /// The engine uses a model in place and wants it at a multiple of 64 bytes.
    #[repr(C, align(64))]
    struct Aligned<B: ?Sized>(B);

    static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("BLOCKSPAN_DEFAULT_MODEL")));

    pub fn bytes() -> &'static [u8] {
        &MODEL.0
    }
}

impl ModelSource {
    /// The file at `path`, which is standard input where that is `-`; or the default model.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if is_stdin(path) => {
                // No model is larger; something without an end is.
                let read = AlignedBytes::read_from(io::stdin().lock().take(u32::MAX.into()));
                read.map(Self::Stdin).map_err(|error| {
                    anyhow!("standard input: cannot read the model: {error}; name a .bspan file")
                })
            }
            Some(path) => Self::map(path),
            #[cfg(default_model)]
            None => Ok(Self::Default),
            #[cfg(not(default_model))]
            None => bail!(
                "no model: this build has no default model; name a .bspan file, such as the default one from {} (16 MB)",
                concat!(
                    env!("CARGO_PKG_REPOSITORY"),
                    "/raw/v",
                    env!("CARGO_PKG_VERSION"),
                    "/fixtures/default.bspan"
                )
            ),
        }
    }

    /// As [`open`](Self::open), but a file is read into memory: nothing that happens to it later matters.
    #[cfg(feature = "serve")]
    pub fn read(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if !is_stdin(path) => {
                check_regular(path)?;
                let bytes =
                    AlignedBytes::read_file(path).map_err(|error| anyhow!("{error}; name a .bspan file"))?;
                Ok(Self::Read { path: path.to_owned(), bytes })
            }
            path => Self::open(path),
        }
    }

    #[expect(unsafe_code, reason = "the one mapping call")]
    fn map(path: &Path) -> Result<Self> {
        check_regular(path)?;
        // SAFETY: as the README asks, whoever may write the file leaves it alone while a command runs, and replaces a
        // model by renaming a new one over it. A private copy would need no such promise, but as much memory again as
        // the model and most of the time that a start takes (a read of 112 MB against a mapping of some microseconds).
        let file =
            unsafe { MappedFile::open(path) }.map_err(|error| anyhow!("{error}; name a .bspan file"))?;
        Ok(Self::File { path: path.to_owned(), file })
    }

    /// The bytes, aligned as the engine wants them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            #[cfg(default_model)]
            Self::Default => default::bytes(),
            Self::File { file, .. } => file.bytes(),
            #[cfg(feature = "serve")]
            Self::Read { bytes, .. } => bytes,
            Self::Stdin(bytes) => bytes,
        }
    }

    /// Checks the bytes and borrows the model from them.
    pub fn parse(&self) -> Result<Model<'_>> {
        Model::parse(self.bytes()).map_err(|error| refusal(&self.to_string(), &error))
    }

    /// Checks the bytes; the model owns them.
    pub fn share(self) -> Result<SharedModel> {
        let name = self.to_string();
        let shared = match self {
            #[cfg(default_model)]
            Self::Default => SharedModel::new(default::bytes()),
            Self::File { file, .. } => SharedModel::new(file),
            #[cfg(feature = "serve")]
            Self::Read { bytes, .. } => SharedModel::new(bytes),
            Self::Stdin(bytes) => SharedModel::new(bytes),
        };
        shared.map_err(|error| refusal(&name, &error))
    }
}

/// Refuses what is no file. Found out before opening, which would wait for the other end of a pipe.
fn check_regular(path: &Path) -> Result<()> {
    let kind = path.metadata().ok().map(|metadata| metadata.file_type()).filter(|kind| !kind.is_file());
    if let Some(kind) = kind {
        let what = if kind.is_dir() { "a directory" } else { "not a regular file" };
        bail!("{}: is {what}; name a .bspan file", path.display());
    }
    Ok(())
}

/// Why these bytes are no model, and what to do.
fn refusal(name: &str, error: &ParseError) -> anyhow::Error {
    match error {
        ParseError::Header(_) | ParseError::Section(..) => {
            anyhow!("{name}: {error}; copy the file again, or make it again with `blockspan-trainer pack`")
        }
        error => anyhow!("{name}: {error}"),
    }
}

/// For messages.
impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(default_model)]
            Self::Default => f.write_str("the default model"),
            Self::File { path, .. } => path.display().fmt(f),
            #[cfg(feature = "serve")]
            Self::Read { path, .. } => path.display().fmt(f),
            Self::Stdin(_) => f.write_str("standard input"),
        }
    }
}
