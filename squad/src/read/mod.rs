//! Reading files: from bytes to text, to JSON values, to questions.

mod encoding;
mod fields;
mod ids;
mod recognize;
mod shape;

use std::io::Read;
use std::path::Path;

use serde_json::{Deserializer, Value};

use crate::{Dataset, Error, Place};
use shape::Reader;

impl Dataset {
    /// Reads a file; `-` is standard input. Answers are not compared with their contexts: see
    /// [`Dataset::check_answers`]. [`Dataset::notes`] tells what a user should know about the file.
    ///
    /// # Errors
    /// A file that cannot be read, has another shape, or holds no question; the message tells the place and the remedy.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        if path == Path::new("-") {
            let (name, mut bytes) = (Path::new("standard input"), Vec::new());
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|reason| Error::Read { path: name.to_owned(), reason })?;
            return Self::parse(&bytes, name);
        }
        let bytes = std::fs::read(path).map_err(|reason| Error::Read { path: path.to_owned(), reason })?;
        Self::parse(&bytes, path)
    }

    /// Reads the contents of a file; `path` only names it in messages.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = encoding::text(bytes).map_err(|what| Error::Foreign { path: path.to_owned(), what })?;
        let mut reader = Reader::default();
        documents(&text, path, |value, line| {
            let read = reader.document(value, Place { line, ..Place::default() });
            read.map_err(|(place, reason)| Error::Shape {
                path: path.to_owned(),
                place: place.into(),
                reason,
            })
        })?;
        reader.finish(path)
    }
}

/// Passes on the JSON values of a text, one after another; with the line of each if there are several.
fn documents(
    text: &str,
    path: &Path,
    mut each: impl FnMut(Value, Option<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let (mut line, mut counted) = (1, 0);
    let mut several = false;
    loop {
        let start = next_value(text, values.byte_offset());
        line += text.get(counted..start).unwrap_or_default().matches('\n').count();
        counted = start;
        match values.next() {
            None => return Ok(()),
            Some(Err(error)) => return Err(encoding::syntax(text, path, &error)),
            Some(Ok(value)) => {
                several |= next_value(text, values.byte_offset()) < text.len();
                each(value, several.then_some(line))?;
            }
        }
    }
}

/// Where the next value begins, from a place between two values.
fn next_value(text: &str, from: usize) -> usize {
    text.len() - text.get(from..).unwrap_or_default().trim_ascii_start().len()
}
