//! Reads questions from files, one after another, on a thread of its own.

mod context_file;
mod fields;
mod json_lines;
mod origin;
#[cfg(feature = "parquet")]
mod parquet;
mod squad;
mod table;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Result, anyhow, bail};

use super::item::Item;
use crate::cli::Format;
use crate::passage::is_stdin;
use origin::{Origin, cannot_read};

/// Items that are read before somebody wants them.
const READ_AHEAD: usize = 4;

/// The items of one file.
type Items = Box<dyn Iterator<Item = Result<Item>>>;

/// The items of all files, in order.
pub struct Input {
    items: Receiver<Result<Item>>,
    /// Bytes of all files, if that is known.
    pub bytes: Option<u64>,
}

/// What became of asking for an item that is there already.
pub enum Next {
    Item(Item),
    /// None has been read yet.
    NotYet,
    End,
}

impl Input {
    /// Finds out whether the files are there, and begins to read. Questions that are `searched` need no passages.
    pub fn open(paths: &[PathBuf], format: Option<Format>, searched: bool) -> Result<Self> {
        if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
            bail!("standard input can be read once only; give - once");
        }
        let mut bytes = Some(0);
        for path in paths.iter().filter(|path| !is_stdin(path)) {
            let metadata = path.metadata().map_err(|error| cannot_read(path, &error))?;
            if metadata.is_dir() {
                bail!("{}: is a directory; name the files in it", path.display());
            }
            bytes = bytes.filter(|_| metadata.is_file()).map(|bytes| bytes + metadata.len());
            // A pipe is opened once only.
            if metadata.is_file() {
                File::open(path).map_err(|error| cannot_read(path, &error))?;
            }
        }
        let bytes = bytes.filter(|_| !paths.iter().any(|path| is_stdin(path)));

        let paths = paths.to_vec();
        let (sender, items) = sync_channel(READ_AHEAD);
        let read = move || {
            let (mut before, several) = (0, paths.len() > 1);
            for path in &paths {
                let name = several.then(|| Arc::from(path.display().to_string()));
                let origin = Origin { path: path.clone(), name, before, searched };
                let opened = open(origin, format.unwrap_or_else(|| format_of(path)));
                let (items, failed) = match opened {
                    Ok(items) => (Some(items), None),
                    Err(error) => (None, Some(Err(error))),
                };
                for item in items.into_iter().flatten().chain(failed) {
                    let end = item.is_err();
                    // Nobody wants it if the command is at its end.
                    if sender.send(item).is_err() || end {
                        return;
                    }
                }
                before += path.metadata().map_or(0, |metadata| metadata.len());
            }
        };
        // Not waited for: it may be at a pipe that stays open.
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(read)
            .map_err(|error| anyhow!("cannot start a thread: {error}; make room for one"))?;
        Ok(Self { items, bytes })
    }

    /// The next item; waits for it.
    pub fn next(&self) -> Result<Option<Item>> {
        self.items.recv().ok().transpose()
    }

    /// The next item if it is there.
    pub fn try_next(&self) -> Result<Next> {
        use std::sync::mpsc::TryRecvError::{Disconnected, Empty};
        match self.items.try_recv() {
            Ok(item) => Ok(Next::Item(item?)),
            Err(Empty) => Ok(Next::NotYet),
            Err(Disconnected) => Ok(Next::End),
        }
    }
}

fn open(origin: Origin, format: Format) -> Result<Items> {
    Ok(match format {
        Format::Jsonl => Box::new(json_lines::read(BufReader::new(origin.reader()?), origin)),
        Format::Squad => Box::new(squad::read(&origin)?),
        Format::Csv => Box::new(table::read(origin.reader()?, origin, b',')?),
        Format::Tsv => Box::new(table::read(origin.reader()?, origin, b'\t')?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::read(origin)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => bail!(
            "{}: this command was built without the feature parquet; build it with --features parquet, or save the \
             file as CSV",
            origin.shown()
        ),
    })
}

/// By the file's name.
fn format_of(path: &Path) -> Format {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("json") => Format::Squad,
        Some("csv") => Format::Csv,
        Some("tsv") => Format::Tsv,
        Some("parquet") => Format::Parquet,
        _ => Format::Jsonl,
    }
}
