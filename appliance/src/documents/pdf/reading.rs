//! From a file's bytes to the texts of its pages.

use anyhow::{Result, anyhow, bail};
use hayro_font::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use super::page::Pages;

/// The title, on one line, and the text of each page.
pub fn pages(bytes: Vec<u8>) -> Result<(String, Vec<String>)> {
    // Else whatever looks like an object of one would be looked for.
    let start = bytes.get(..1024.min(bytes.len())).unwrap_or_default();
    if !start.windows(5).any(|part| part == b"%PDF-") {
        bail!("is no PDF, since it does not begin with %PDF-; give it its right name");
    }
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            anyhow!("is encrypted, and opens with a password only; save it without one")
        }
        LoadPdfError::Decryption(_) => {
            anyhow!("is encrypted in a way that is not known; save it without that")
        }
        LoadPdfError::Invalid => {
            anyhow!("the PDF is damaged: it has no pages; copy it again, or print it anew")
        }
    })?;
    let mut reader = Pages::new(super::MAX_TEXT);
    let pages: Vec<String> = pdf.pages().iter().map(|page| reader.text(page)).collect::<Result<_>>()?;
    if pages.iter().all(String::is_empty) {
        bail!("has no text, but perhaps pictures of text; recognize it first, for example with ocrmypdf");
    }
    Ok((title(pdf.metadata().title.as_deref().unwrap_or_default()), pages))
}

/// A string of the document's properties: in UTF-16 or UTF-8 behind a byte-order mark, else about Latin-1.
fn title(bytes: &[u8]) -> String {
    let title = match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(' ')).collect()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect::<String>(),
    };
    // A title is words to search for; nobody has so many.
    let words = title.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.take(64).collect::<Vec<_>>().join(" ")
}
