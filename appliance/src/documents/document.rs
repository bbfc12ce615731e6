//! A text and its lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::Kind;
use crate::encoding::utf8;
use crate::search::Position;

/// A text to find answers in.
#[derive(Clone)]
pub struct Document {
    pub text: Arc<str>,
    pub lines: Lines,
    /// What it says that it is about; empty where it says nothing.
    pub title: String,
}

/// Where the lines of its file are in a text.
#[derive(Clone)]
pub enum Lines {
    /// The text is that of the file.
    Same,
    /// The first byte from which on the text is from a line of the file, and that line, from 1; in order.
    From(Vec<(usize, u64)>),
    /// The same with the pages of the file.
    Pages(Vec<(usize, u64)>),
}

impl Document {
    /// Plain text.
    pub fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), lines: Lines::Same, title: String::new() }
    }

    /// The file's line, from 1, in which the byte at `at` is.
    pub fn line_at(&self, at: usize) -> u64 {
        match &self.lines {
            Lines::Same => {
                let before = self.text.as_bytes().get(..at).unwrap_or_default();
                1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64
            }
            Lines::From(lines) | Lines::Pages(lines) => {
                let next = lines.partition_point(|(first, _)| *first <= at);
                next.checked_sub(1).and_then(|index| lines.get(index)).map_or(1, |(_, line)| *line)
            }
        }
    }

    /// The line or page of the byte at `at`.
    pub fn position_at(&self, at: usize) -> Position {
        let line = self.line_at(at).try_into().unwrap_or(u32::MAX);
        if matches!(self.lines, Lines::Pages(_)) { Position::Page(line) } else { Position::Line(line) }
    }

    /// `:7` for the line, or `, page 7`.
    pub fn place_at(&self, at: usize) -> String {
        match self.position_at(at) {
            Position::Line(line) => format!(":{line}"),
            Position::Page(page) => format!(", page {page}"),
        }
    }

    /// What came from a file, or from standard input.
    pub fn from_bytes(bytes: Vec<u8>, path: Option<&Path>) -> Result<Self> {
        match path.and_then(Kind::of) {
            Some(kind) => kind.read(bytes),
            None => Ok(Self::plain(utf8(bytes)?)),
        }
    }
}

/// The text of a file; of an HTML page or a PDF, by its name, as people read it.
pub fn read(path: &Path) -> Result<Document> {
    let bytes = File::open(path).and_then(read_all).map_err(|error| {
        anyhow!("{}: cannot read the passage: {error}; name a file of plain text", path.display())
    })?;
    Document::from_bytes(bytes, Some(path)).with_context(|| path.display().to_string())
}

/// All bytes, up to one more than the engine takes, so that a device without an end is refused and not read for ever.
pub fn read_all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(1 << 32).read_to_end(&mut bytes)?;
    Ok(bytes)
}
