//! `blockspan tokenize`: word pieces of lines, one JSON object for each.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use anyhow::{Context, Result, anyhow, ensure};
use blockspan_engine::Error;
use blockspan_engine::tokenizer::Tokenizer;

use crate::cli::Tokenize;
use crate::model_source::{ModelSource, check_not_stdin};
use crate::output::{self, json};

/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 16;
/// The longest line in bytes: a device without an end is refused before it fills the memory.
const MAX_LINE: u64 = 1 << 26;

/// Reads lines, prints their tokens.
pub fn run(args: &Tokenize) -> Result<()> {
    check_not_stdin(args.model.as_deref(), "standard input holds the lines; name a file")?;
    let source = ModelSource::open(args.model.as_deref())?;
    let model = source.parse()?;
    let mut input = BufReader::with_capacity(BUFFER, io::stdin().lock());
    let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        number += 1;
        let read = input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| anyhow!("standard input: cannot read: {error}; pipe the lines in"))? == 0 {
            return output::delivered(stdout.flush()).map(drop);
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let object = match tokenize(model.tokenizer(), text) {
            Ok(object) => object,
            Err(error) => {
                // What came before is good.
                output::delivered(stdout.flush())?;
                return Err(error).with_context(|| format!("standard input, line {number}"));
            }
        };
        let mut written = stdout.write_all(object.as_bytes());
        // With no other line at hand, somebody may be waiting for this one's tokens.
        if !input.buffer().contains(&b'\n') {
            written = written.and_then(|()| stdout.flush());
        }
        if !output::delivered(written)? {
            return Ok(());
        }
    }
}

/// One line as an object.
fn tokenize(tokenizer: &Tokenizer<'_>, text: &[u8]) -> Result<String> {
    ensure!(text.len() as u64 <= MAX_LINE, "longer than 64 MiB; split it");
    let tokens = tokenizer.tokens_of_bytes(text).map_err(|error| match error {
        Error::InvalidUtf8 { byte, .. } => {
            anyhow!("not UTF-8 at byte {byte} of the line; convert the text, for example with iconv -t UTF-8")
        }
        error => error.into(),
    })?;
    json::tokens(tokenizer, tokens)
}
