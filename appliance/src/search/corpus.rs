//! Where a question is searched: an index in a file, or a folder that is indexed in memory.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use blockspan_engine::MappedFile;
use blockspan_retrieval::{Document, Index, IndexError};

use super::folder::Folder;
use crate::cli::PassageArgs;
use crate::output;

/// An index, and what its documents are called.
pub struct Corpus {
    pub index: Index,
    /// What is put before the documents' names.
    prefix: String,
}

impl Corpus {
    /// What the arguments ask for, if it is an index or a folder.
    pub fn of(args: &PassageArgs) -> Result<Option<Self>> {
        match (&args.index, &args.folder) {
            (Some(index), _) => Self::open(index).map(Some),
            (None, Some(folder)) => Self::folder(folder).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Maps and checks an index. Its documents go by their names in the folder.
    #[expect(unsafe_code, reason = "a mapping call")]
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        if path.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            bail!("{shown}: is a directory; make an index of it with `blockspan index`, or give --folder");
        }
        if let Err(error) = File::open(path) {
            bail!("{shown}: cannot open the index: {error}; make one with `blockspan index`");
        }
        // SAFETY: as the README asks, whoever may write the file leaves it alone while a command runs; `blockspan index`
        // renames a new one over it. Nothing that was checked is relied on without looking at bounds again.
        let file = unsafe { MappedFile::open(path) }
            .map_err(|error| anyhow!("{error}; make an index with `blockspan index`"))?;
        let index = Index::new(file).map_err(|error| refusal(path, &error))?;
        Ok(Self { index, prefix: String::new() })
    }

    /// Reads a folder. What cannot be read is told on stderr and passed over. Its documents go by their paths.
    pub fn folder(path: &Path) -> Result<Self> {
        let folder = Folder::read(path, None)?;
        folder.report.lines().iter().for_each(|line| output::note(line));
        let index = Index::new(folder.bytes).map_err(|error| refusal(path, &error))?;
        let mut prefix = path.display().to_string();
        if !prefix.ends_with(std::path::is_separator) {
            prefix.push('/');
        }
        Ok(Self { index, prefix })
    }

    /// What a document is called.
    pub fn name(&self, document: &Document<'_>) -> String {
        format!("{}{}", self.prefix, document.name)
    }
}

/// Why a file is no index.
pub fn refusal(path: &Path, error: &IndexError) -> anyhow::Error {
    anyhow!("{}: {error}", path.display())
}
