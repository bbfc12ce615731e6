//! Tables: CSV and TSV, with the names of the columns in the first row.

use core::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::super::item::{Asked, Item, Place, Text};
use super::context_file::ContextFiles;
use super::fields::id_or_line;
use super::origin::{MAX_LINE, Origin};

/// The rows of a file; a row that asks nothing is an item with an error.
pub fn read(
    input: Box<dyn Read>,
    origin: Origin,
    delimiter: u8,
) -> Result<impl Iterator<Item = Result<Item>>> {
    let left = Rc::new(Cell::new(MAX_LINE));
    let input = Limited { input, left: Rc::clone(&left) };
    let mut rows = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    let columns = Columns::find(&mut rows, &origin)?;
    let mut files = origin.context_files();
    let mut row = ByteRecord::new();
    Ok(core::iter::from_fn(move || {
        left.set(MAX_LINE);
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                let line = rows.position().line();
                return Some(Err(anyhow!(
                    "{}, line {line}: {error}; correct that and use --resume",
                    origin.shown()
                )));
            }
        }
        let place = Place {
            file: origin.name.clone(),
            line: row.position().map(csv::Position::line),
            position: origin.before + rows.position().byte(),
        };
        let id = columns.id.and_then(|column| row.get(column)).filter(|id| !id.is_empty());
        let id = id.and_then(|id| core::str::from_utf8(id).ok()).map(Into::into);
        let asked = columns.asked(&row, &mut files);
        Some(Ok(Item { id: id_or_line(id, &asked, &place), place, asked }))
    }))
}

/// Where the fields are.
struct Columns {
    id: Option<usize>,
    question: usize,
    passage: Passage,
    count: usize,
}

enum Passage {
    Context(usize),
    File(usize),
    /// None is needed.
    Index,
}

impl Columns {
    fn find(rows: &mut Reader<Limited>, origin: &Origin) -> Result<Self> {
        let shown = origin.shown();
        let header = rows.byte_headers().map_err(|error| anyhow!("{shown}: {error}; name a file of rows"))?;
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase()).collect();
        let column = |wanted: &str| {
            // The byte-order mark that spreadsheets write.
            names.iter().position(|name| name.trim_start_matches('\u{feff}') == wanted)
        };
        let passage = match (column("context"), column("context_file")) {
            (Some(context), None) => Some(Passage::Context(context)),
            (None, Some(file)) => Some(Passage::File(file)),
            (None, None) => None,
            _ if origin.searched => None,
            _ => bail!("{shown}: columns context and context_file; give one of them"),
        };
        let passage = if origin.searched { Some(Passage::Index) } else { passage };
        match (column("question"), passage) {
            (Some(question), Some(passage)) => {
                Ok(Self { id: column("id"), question, passage, count: names.len() })
            }
            _ => bail!(
                "{shown}: the first row has the columns {}; name columns question, and context or context_file",
                names.join(", ")
            ),
        }
    }

    fn asked(&self, row: &ByteRecord, files: &mut ContextFiles) -> Result<Asked, String> {
        if row.len() != self.count {
            return Err(format!(
                "{} fields, where the first row has {}; correct the row, and put texts with the delimiter in quotes",
                row.len(),
                self.count
            ));
        }
        let text = |name: &str, column: usize| {
            core::str::from_utf8(row.get(column).unwrap_or_default()).map_err(|_| {
                format!("{name} is not UTF-8; convert the file, for example with iconv -t UTF-8")
            })
        };
        let question = text("question", self.question)?.into();
        let passage: Arc<str> = match self.passage {
            Passage::Context(column) => text("context", column)?.into(),
            Passage::File(column) => files.read(text("context_file", column)?)?,
            Passage::Index => return Ok(Asked { question, text: Text::Index }),
        };
        Ok(Asked { question, text: Text::Passage(passage) })
    }
}

/// Fails where a row has no end, such as after a quote that nobody closes.
struct Limited {
    input: Box<dyn Read>,
    /// Bytes that the row at hand may still have.
    left: Rc<Cell<u64>>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        let Some(left) = self.left.get().checked_sub(read as u64) else {
            let message =
                format!("a row longer than {} MiB; is there a quote that is not closed?", MAX_LINE >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        };
        self.left.set(left);
        Ok(read)
    }
}
