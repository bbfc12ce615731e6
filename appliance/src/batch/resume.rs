//! Going on where a run was stopped.

use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use super::input::Input;
use super::item::Item;
use super::record::Written;
use super::tally::Tally;
use crate::compare::Comparison;
use crate::output::PartialFile;

/// Passes over the items that the file has a line for, and compares those lines, too, with what is expected. The file is
/// cut behind its last complete line. Returns the last item that has a line, and that line.
pub fn pass_over(
    out: &mut PartialFile,
    input: &Input,
    expected: &mut Option<Comparison>,
    tally: &mut Tally,
) -> Result<Option<(Item, String)>> {
    let shown = out.partial().display().to_string();
    let unreadable = |error: io::Error| anyhow!("{shown}: cannot read: {error}; remove it to begin anew");
    let mut lines = BufReader::with_capacity(1 << 16, &*out.file());
    let (mut complete, mut number) = (0, 0u64);
    let mut last = None;
    loop {
        let mut bytes = Vec::new();
        let read = lines.read_until(b'\n', &mut bytes).map_err(unreadable)?;
        if read == 0 || !bytes.ends_with(b"\n") {
            break;
        }
        number += 1;
        let place = || format!("{shown}, line {number}");
        let written: Written = serde_json::from_slice(&bytes)
            .map_err(|_| anyhow!("{}: no output of this command; remove the file to begin anew", place()))?;
        let item = input.next()?.with_context(|| {
            format!("{}: the input has ended before; give the input of the run that wrote it", place())
        })?;
        if !written.is_about(&item) {
            bail!(
                "{}: not about the question {} of the input; give the input of the run that wrote it, or remove the file",
                place(),
                item.id
            );
        }
        let line = String::from_utf8(bytes).with_context(place)?;
        tally.count(written.is_error());
        if let Some(expected) = expected {
            expected.compare(&line)?;
        }
        complete += read as u64;
        last = Some((item, line));
    }
    drop(lines);
    let file = out.file();
    file.set_len(complete).and_then(|()| file.seek(SeekFrom::Start(complete))).map_err(unreadable)?;
    Ok(last)
}

/// Whether this run answers as the earlier one did.
pub fn check(id: &Value, earlier: &str, now: &str, out: &PartialFile) -> Result<()> {
    ensure!(
        earlier == now,
        "{}: the question {id} has another answer now; give the model and the options of the run that wrote it, or remove \
         the file",
        out.partial().display()
    );
    Ok(())
}
