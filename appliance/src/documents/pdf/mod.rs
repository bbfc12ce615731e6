//! The text of a PDF file.
//!
//! A PDF file is a program in several compressed languages, and the crates that read it are not written for files that want
//! them to fail: a stream of a few kilobytes may unpack to gigabytes, and what is nested or goes round in a circle may take
//! for ever. So it is read in a process of its own, whose memory and time are bounded: this program again, with a word for
//! its only argument that no command has. Whatever becomes of that process, the file is refused and nothing else.

mod lines;
mod page;
mod reading;

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::document::{Document, Lines};

/// The argument for which [`serve`] is run.
pub const READ: &str = "--read-pdf-from-stdin";

/// A file's bytes, at most.
const MAX_FILE: usize = 256 << 20;

/// Bytes of text, at most.
const MAX_TEXT: usize = 32 << 20;

/// Memory that the process may ask for, in bytes; where the system knows limits (Linux and other Unixes).
const MEMORY: u64 = 1 << 30;

/// How long it may take, in seconds.
const SECONDS: u64 = 60;

/// Where a page ends in what the process writes. No text has one: it is white space.
const PAGE_END: char = '\u{c}';

/// The text of a file, in which each page is a place.
pub fn text(bytes: &[u8]) -> Result<Document> {
    if bytes.len() > MAX_FILE {
        bail!("is larger than {} MiB; split it", MAX_FILE >> 20);
    }
    // On Linux also where the program has been replaced since it was started.
    let program =
        if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() };
    let cannot = "cannot start this program again, to read the PDF with";
    let mut process = Command::new(program.context(cannot)?)
        .arg(READ)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context(cannot)?;
    // It reads all before it writes anything, so that neither waits for the other. That it has ended shows below.
    let _ = process.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(bytes));
    let mut written = Vec::new();
    let limit = 2 * MAX_TEXT as u64;
    let read = process.stdout.take().map_or(Ok(0), |stdout| stdout.take(limit).read_to_end(&mut written));
    let ended = process.wait();
    read.and(ended).map_err(|error| anyhow!("cannot read the PDF: {error}; try again")).and_then(|status| {
        match (status.success(), String::from_utf8(written)) {
            (true, Ok(written)) => document(&written),
            _ => bail!(
                "the PDF is damaged, or takes more than {} MiB of memory or {SECONDS} s to read; make text of it, for \
                 example with pdftotext",
                MEMORY >> 20
            ),
        }
    })
}

/// What a process writes: `+`, the title and a line's end, and the pages; or `-` and why there are none.
fn document(written: &str) -> Result<Document> {
    let Some((title, pages)) = written.strip_prefix('+').and_then(|written| written.split_once('\n')) else {
        bail!("{}", written.strip_prefix('-').unwrap_or("the PDF cannot be read; please report it"));
    };
    let (mut text, mut places) = (String::with_capacity(pages.len()), Vec::new());
    for (number, page) in (1..).zip(pages.split(PAGE_END)).filter(|(_, page)| !page.is_empty()) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        places.push((text.len(), number));
        text.push_str(page);
    }
    Ok(Document { text: text.into(), lines: Lines::Pages(places), title: title.to_owned() })
}

/// Reads a PDF from standard input and writes its text, as [`text`] wants it.
pub fn serve() -> io::Result<()> {
    limit_memory();
    std::thread::spawn(|| {
        std::thread::sleep(core::time::Duration::from_secs(SECONDS));
        std::process::exit(1);
    });
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    let written = match reading::pages(bytes) {
        Ok((title, pages)) => format!("+{title}\n{}", pages.join(PAGE_END.encode_utf8(&mut [0; 4]))),
        Err(error) => format!("-{error:#}"),
    };
    io::stdout().lock().write_all(written.as_bytes())
}

/// From here on an allocation may fail, which ends the process.
fn limit_memory() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        for (resource, most) in [(Resource::As, MEMORY), (Resource::Core, 0)] {
            let maximum = getrlimit(resource).maximum;
            let current = maximum.map_or(most, |maximum| maximum.min(most));
            // Where there is no such limit, that of time is left.
            let _ = setrlimit(resource, Rlimit { current: Some(current), maximum });
        }
    }
}
