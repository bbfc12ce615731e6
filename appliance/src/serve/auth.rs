//! Who may ask.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

/// The keys of a file, one a line. They are never logged.
pub struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// Reads a file. Empty lines and lines that begin with `#` are no keys.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow!("--api-key-file {shown}: {error}; name a file with a key a line"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(lines) {
            ensure!(
                line.bytes().all(|byte| byte.is_ascii_graphic()),
                "--api-key-file {shown}: key {number} holds a space or a character beyond ASCII, which the header \
                 Authorization cannot carry; make another one, for example with openssl rand -hex 32"
            );
            ensure!(
                line.len() >= 16,
                "--api-key-file {shown}: key {number} has only {} characters; make one of at least 16, for example with \
                 openssl rand -hex 32",
                line.len()
            );
            keys.push(line.as_bytes().to_vec());
        }
        ensure!(
            !keys.is_empty(),
            "--api-key-file {shown}: holds no key; write one a line, for example from openssl rand -hex 32"
        );
        Ok(Self(keys))
    }

    /// Whether the request carries one of the keys. The time that this takes does not tell which bytes of a key are right,
    /// nor which key it is; it may tell a key's length.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(given) = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())) else {
            return false;
        };
        let found = self.0.iter().fold(0u8, |found, key| found | given.ct_eq(key).unwrap_u8());
        found == 1
    }
}

/// What follows `Bearer`, a word that may be in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::Keys;

    fn read(text: &str) -> Result<Keys, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, text).unwrap();
        Keys::read(&path).map_err(|error| error.to_string())
    }

    fn allows(keys: &Keys, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(value).unwrap());
        keys.allow(&headers)
    }

    #[test]
    fn any_line_is_a_key_and_nothing_else_is() {
        let keys = read("# of the web shop\n0123456789abcdef\n\nfedcba9876543210\r\n").unwrap();
        for right in ["Bearer 0123456789abcdef", "bearer fedcba9876543210", "BEARER  fedcba9876543210 "] {
            assert!(allows(&keys, right), "{right}");
        }
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer ",
            "Bearer # of the web shop",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "",
        ] {
            assert!(!allows(&keys, wrong), "{wrong}");
        }
        assert!(!keys.allow(&HeaderMap::new()));
    }

    #[test]
    fn files_without_a_usable_key_are_refused() {
        for (text, reason) in [
            ("", "holds no key; write"),
            ("# nothing\n\n", "holds no key; write"),
            ("short\n", "key 1 has only 5 characters; make"),
            ("0123456789abcdef\nwith a space in it\n", "key 2 holds a space"),
            ("schlüssel-mit-umlaut\n", "beyond ASCII"),
        ] {
            let error = read(text).err().unwrap_or_else(|| panic!("{text:?} was taken"));
            assert!(error.contains(reason), "{error}");
        }
    }
}
