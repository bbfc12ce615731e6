//! From bytes to text, and what a file is that holds no JSON.

use std::borrow::Cow;
use std::path::Path;

use crate::Error;

/// The text of a file in UTF-8 or UTF-16, without its byte-order mark; else what the file seems to be, and the remedy.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if let Some(what) = binary(bytes) {
        return Err(what.into());
    }
    let text = match *bytes {
        [0xff, 0xfe, ref rest @ ..] => utf16(rest, u16::from_le_bytes)?.into(),
        [0xfe, 0xff, ref rest @ ..] => utf16(rest, u16::from_be_bytes)?.into(),
        // A JSON text begins with an ASCII character, which tells the encoding (RFC 4627, section 3).
        [first, 0, ..] if first != 0 => utf16(bytes, u16::from_le_bytes)?.into(),
        [0, first, ..] if first != 0 => utf16(bytes, u16::from_be_bytes)?.into(),
        _ => Cow::Borrowed(utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))?),
    };
    match foreign(&text) {
        Some(what) => Err(what.into()),
        None => Ok(text),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
        format!("not UTF-8 at byte {at} (line {line}); save the file as JSON in UTF-8")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err("looks like UTF-16 but is damaged; save the file as JSON in UTF-8".into()),
    }
}

/// Formats that begin with fixed bytes.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    let formats: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "compressed with gzip; unpack it first (gunzip)"),
        (b"PK\x03\x04", "a zip archive; unpack it first (unzip)"),
        (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it first (unzstd)"),
        (b"\xfd7zXZ", "compressed with xz; unpack it first (unxz)"),
        (b"BZh", "compressed with bzip2; unpack it first (bunzip2)"),
        (b"PAR1", "a Parquet file; write it as JSON Lines first (with Hugging Face datasets: to_json)"),
        (b"ARROW1", "an Arrow file; write it as JSON Lines first (with Hugging Face datasets: to_json)"),
        (
            b"\xff\xff\xff\xff",
            "an Arrow stream; write it as JSON Lines first (with Hugging Face datasets: to_json)",
        ),
    ];
    formats.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, what)| what)
}

/// Text that cannot be JSON with questions, judged by how it begins.
fn foreign(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    let header = start.lines().next().unwrap_or_default();
    match start.chars().next() {
        None => Some("the file is empty; name a SQuAD file"),
        Some('{' | '[') => None,
        Some('<') => Some("an HTML or XML page, not JSON; download the file itself (its raw contents)"),
        _ if start.starts_with("version https://git-lfs") => {
            Some("a Git LFS pointer in place of the file; fetch the file with git lfs pull")
        }
        _ if header.contains("question") && header.contains([',', '\t', ';']) => Some(
            "looks like a table (CSV); write it as JSON Lines with the fields id, context, question, answers",
        ),
        _ => Some("not JSON; expected a SQuAD file, {\"data\": [{\"paragraphs\": […]}]}, or JSON Lines"),
    }
}

/// An error of the JSON parser in words for the file's owner.
pub fn syntax(text: &str, path: &Path, error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    // A few bytes around the place: the parser stops at or behind the first one that is wrong.
    let here = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().as_bytes();
    let from = column.saturating_sub(4).min(here.len());
    let around = String::from_utf8_lossy(here.get(from..(column + 8).min(here.len())).unwrap_or_default());
    let has = |words: &[&str]| words.iter().any(|word| around.contains(word));
    let reason = if error.is_eof() {
        "the file ends inside a value; it is cut short, fetch or write it again".into()
    } else if has(&["NaN", "Infinity"]) {
        "NaN and Infinity are no JSON; write null in their place".into()
    } else if has(&["'", "None", "True", "False"]) {
        "looks like Python's print of an object; write it with json.dump".into()
    } else {
        let reason = error.to_string();
        let plain = reason.split_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        format!("{plain}; correct the file or write it again")
    };
    Error::Syntax { path: path.to_owned(), line, column, reason }
}
