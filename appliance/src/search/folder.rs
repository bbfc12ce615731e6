//! A folder as an index.

use std::fs::File;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use blockspan_retrieval::{Builder, Index, Layout, Places, Source, Stamp};

use crate::documents::{Document, Files, Kind, Lines, read_all};

/// A file that was changed so few seconds before an index was begun may have been changed again without another time.
const UNSURE: i64 = 2;

/// A folder that has been read.
pub struct Folder {
    /// The index.
    pub bytes: Vec<u8>,
    pub report: Report,
}

/// What became of the files.
#[derive(Debug, Default)]
pub struct Report {
    /// Documents that were read.
    pub read: usize,
    /// Documents of the older index that have not changed.
    pub kept: usize,
    /// Documents of the older index that are not there any more.
    pub gone: usize,
    /// What could not be read, and why.
    pub failed: Vec<String>,
    /// How many files of other kinds there are, by the ends of their names.
    pub others: Vec<(String, usize)>,
}

impl Folder {
    /// Reads all documents of a folder, but those that an older index of it has as they are.
    pub fn read(root: &Path, old: Option<&Index>) -> Result<Self> {
        let shown = root.display();
        match root.metadata() {
            Err(error) => bail!("{shown}: cannot read the folder: {error}; name one that you can read"),
            Ok(metadata) if !metadata.is_dir() => bail!("{shown}: is no folder; name one"),
            Ok(_) => {}
        }
        let now = time(SystemTime::now());
        let builder = old.map_or_else(|| Builder::new(now), |old| Builder::updating(old, now));
        let mut reading = Reading { root, old, met: 0, builder, report: Report::default() };
        for file in Files::all(root) {
            match file {
                Ok(file) => reading.file(&file.path)?,
                Err(error) => reading.report.failed.push(format!("{error:#}")),
            }
        }
        let Reading { builder, mut report, met, .. } = reading;
        report.gone = old.map_or(0, Index::documents).saturating_sub(met);
        if builder.documents() == 0 {
            let first = report.failed.first().map(|first| format!(" ({first})")).unwrap_or_default();
            bail!("{shown}: no text there{first}; name a folder with files of text ({})", Kind::list());
        }
        Ok(Self { bytes: builder.finish()?, report })
    }
}

/// A folder that is being read.
struct Reading<'a> {
    root: &'a Path,
    old: Option<&'a Index>,
    /// How many of its documents are still there.
    met: usize,
    builder: Builder<'a>,
    report: Report,
}

impl Reading<'_> {
    /// Adds a file, or notes why it is none of the documents. An error ends it all.
    fn file(&mut self, path: &Path) -> Result<()> {
        let Some(kind) = Kind::of(path) else {
            let end = path.extension().map_or_else(
                || "without an ending".to_owned(),
                |end| format!(".{}", end.to_string_lossy().to_lowercase()),
            );
            match self.report.others.iter_mut().find(|(other, _)| *other == end) {
                Some((_, count)) => *count += 1,
                None => self.report.others.push((end, 1)),
            }
            return Ok(());
        };
        match self.document(path, kind) {
            Ok(()) => Ok(()),
            Err(Failure::File(error)) => {
                self.report.failed.push(format!("{}: {error:#}", path.display()));
                Ok(())
            }
            Err(Failure::Index(error)) => Err(error),
        }
    }

    fn document(&mut self, path: &Path, kind: Kind) -> Result<(), Failure> {
        let name = self.name(path)?;
        let file = File::open(path).context("cannot open it; make it readable")?;
        let metadata = file.metadata().context("cannot look at it; copy it again")?;
        let modified = metadata.modified().map(time).unwrap_or_default();
        let old = self.old.and_then(|old| {
            let number = old.find_document(&name)?;
            Some((number, old, old.document(number)?))
        });
        self.met += usize::from(old.is_some());
        if let Some((number, old, document)) = &old
            && (document.stamp.modified, document.stamp.bytes) == (modified, metadata.len())
            && modified.0 < old.written().0 - UNSURE
        {
            return self.keep(*number);
        }
        let bytes = read_all(file).context("cannot read it; copy it again")?;
        let stamp = Stamp { modified, bytes: bytes.len() as u64, hash: Stamp::hash(&bytes) };
        // Only its time is another: nothing to analyze, but the time has to be taken over.
        if let Some((number, _, document)) = &old
            && (document.stamp.hash, document.stamp.bytes) == (stamp.hash, stamp.bytes)
        {
            return if document.stamp.modified == modified {
                self.keep(*number)
            } else {
                self.report.kept += 1;
                Ok(self.builder.keep_with(*number, stamp).map_err(|error| Failure::Index(error.into()))?)
            };
        }
        let document = kind.read(bytes)?;
        self.add(&name, kind, &document, stamp)
    }

    /// Its path in the folder, with `/` between its parts.
    fn name(&self, path: &Path) -> Result<String> {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        let parts: Option<Vec<&str>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
        parts.map(|parts| parts.join("/")).ok_or_else(|| anyhow!("its name is not UTF-8; rename it"))
    }

    fn keep(&mut self, number: usize) -> Result<(), Failure> {
        self.report.kept += 1;
        self.builder.keep(number).map_err(|error| Failure::Index(error.into()))
    }

    fn add(&mut self, name: &str, kind: Kind, document: &Document, stamp: Stamp) -> Result<(), Failure> {
        let Document { text, lines, title } = document;
        let too_long = || anyhow!("its text is longer than 4 GiB; split it");
        let narrow = |table: &[(usize, u64)]| -> Option<Vec<(u32, u32)>> {
            let entries = table.iter().map(|&(at, line)| Some((at.try_into().ok()?, line.try_into().ok()?)));
            entries.collect()
        };
        let (table, pages) = match lines {
            Lines::Same => (Vec::new(), false),
            Lines::From(table) => (narrow(table).ok_or_else(too_long)?, false),
            Lines::Pages(table) => (narrow(table).ok_or_else(too_long)?, true),
        };
        let places = match lines {
            Lines::Same => Places::Text,
            _ if pages => Places::Pages(&table),
            _ => Places::Lines(&table),
        };
        let layout = match kind {
            Kind::Text | Kind::Pdf => Layout::Prose,
            Kind::Markdown => Layout::Markdown,
            Kind::Html => Layout::Lines,
        };
        let source = Source { name, title, text, layout, places, stamp };
        self.builder.add(&source).map_err(|error| Failure::Index(error.into()))?;
        self.report.read += 1;
        Ok(())
    }
}

/// Why a file is no document.
enum Failure {
    /// It cannot be read; the others can.
    File(anyhow::Error),
    /// There is no index with it.
    Index(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::File(error)
    }
}

impl Report {
    /// What was passed over, a line for each file that failed and one for all of other kinds.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.failed.iter().map(|failed| format!("note: {failed}; passed over")).collect();
        if !self.others.is_empty() {
            let others: Vec<String> =
                self.others.iter().map(|(end, count)| format!("{count} {end}")).collect();
            let read = Kind::list();
            lines.push(format!("note: passed over as no text ({read}): {}", others.join(", ")));
        }
        lines
    }
}

/// Seconds since 1970, and nanoseconds.
fn time(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (since.as_secs().try_into().unwrap_or(i64::MAX), since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanos => (-seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::time;

    #[test]
    fn times_before_1970_are_in_order() {
        let at = |nanos: i64| {
            let by = Duration::from_nanos(nanos.unsigned_abs());
            time(if nanos < 0 { UNIX_EPOCH - by } else { UNIX_EPOCH + by })
        };
        let times = [-2_000_000_000, -1_000_000_001, -1, 0, 1, 1_000_000_000];
        assert_eq!(times.map(at), [(-2, 0), (-2, 999_999_999), (-1, 999_999_999), (0, 0), (0, 1), (1, 0)]);
    }
}
