//! JSON Lines.

use std::io::{self, BufRead, Read};

use anyhow::{Result, anyhow};
use serde_json::{Map, Value};

use super::super::item::{Item, Place};
use super::context_file::ContextFiles;
use super::fields;
use super::origin::{MAX_LINE, Origin};

/// The items of a file; a line that holds none is one with an error. Blank lines are passed over.
pub fn read(input: impl BufRead, origin: Origin) -> impl Iterator<Item = Result<Item>> {
    let mut lines = Lines { input, bytes: Vec::new(), number: 0, position: origin.before };
    let mut files = origin.context_files();
    core::iter::from_fn(move || {
        loop {
            let long = match lines.next() {
                Ok(Some(long)) => long,
                Ok(None) => return None,
                Err(error) => {
                    let (shown, line) = (origin.shown(), lines.number);
                    return Some(Err(anyhow!(
                        "{shown}, line {line}: cannot read: {error}; copy the file again, then use --resume"
                    )));
                }
            };
            if lines.bytes.trim_ascii().is_empty() && !long {
                continue;
            }
            let place =
                Place { file: origin.name.clone(), line: Some(lines.number), position: lines.position };
            return Some(Ok(item(&lines.bytes, long, place, &mut files, origin.searched)));
        }
    })
}

/// Lines of bytes, each with its end.
struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    /// Of the line at hand, from 1.
    number: u64,
    /// Bytes up to its end.
    position: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line; whether it is too long, and empty therefore. `None` at the end.
    fn next(&mut self) -> io::Result<Option<bool>> {
        self.bytes.clear();
        self.number += 1;
        let mut read = self.input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut self.bytes)? as u64;
        let long = read > MAX_LINE;
        if long {
            // The rest is thrown away piece by piece.
            while !self.bytes.ends_with(b"\n") {
                self.bytes.clear();
                match self.input.by_ref().take(1 << 16).read_until(b'\n', &mut self.bytes)? {
                    0 => break,
                    piece => read += piece as u64,
                }
            }
            self.bytes = Vec::new();
        }
        self.position += read;
        if self.number == 1 && self.bytes.starts_with(b"\xef\xbb\xbf") {
            self.bytes.drain(..3);
        }
        Ok((read > 0).then_some(long))
    }
}

fn item(line: &[u8], long: bool, place: Place, files: &mut ContextFiles, searched: bool) -> Item {
    let object = if long {
        Err(format!("longer than {} MiB; split it", MAX_LINE >> 20))
    } else {
        // Its end is no part of it.
        object(line.trim_ascii_end())
    };
    fields::item(object, place, files, searched)
}

fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    let text = core::str::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to();
        format!("not UTF-8 at byte {at} of the line; convert the file, for example with iconv -t UTF-8")
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(format!("the line is {}; write an object on each line", fields::kind(&other))),
        Err(error) => {
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or_default();
            Err(format!("not JSON at column {}: {what}; write an object on each line", error.column()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, MAX_LINE, Read};

    #[test]
    fn a_line_without_an_end_is_passed_over_without_being_kept() {
        let long = std::io::repeat(b'x').take(MAX_LINE + 5).chain(&b"\nshort\n"[..]);
        let input = std::io::BufReader::new(long);
        let mut lines = Lines { input, bytes: Vec::new(), number: 0, position: 0 };
        assert!(lines.next().unwrap().unwrap());
        assert_eq!((lines.bytes.capacity(), lines.position), (0, MAX_LINE + 6));
        assert!(!lines.next().unwrap().unwrap());
        assert_eq!((lines.bytes.as_slice(), lines.number), (&b"short\n"[..], 2));
        assert_eq!(lines.next().unwrap(), None);
    }
}
