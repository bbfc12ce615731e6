//! A JSON file that holds an object.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};

/// The longest value that a message quotes, in characters.
const QUOTED: usize = 80;

/// The fields of a JSON file. A field that is `null` counts as absent, unless [`Object::says`] asks.
#[derive(Debug)]
pub(crate) struct Object {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a file; `what` says in a message what the file should be.
    ///
    /// # Errors
    /// A file that cannot be read or is no JSON object; the message names it.
    pub(crate) fn read(path: PathBuf, what: &str) -> Result<Self> {
        let text = super::read_text(&path)?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => Ok(Object { path, fields }),
            Ok(_) => bail!("{}: not {what}: it is no JSON object", path.display()),
            Err(error) => bail!("{}: not {what}: {error}", path.display()),
        }
    }

    /// As [`Object::read`]; without fields if there is no such file.
    ///
    /// # Errors
    /// As for [`Object::read`].
    pub(crate) fn read_if_there(path: PathBuf, what: &str) -> Result<Self> {
        if path.exists() { Self::read(path, what) } else { Ok(Object { path, fields: Map::new() }) }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All fields, in the order of their names.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Whether the file has the field, be it `null`.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// An error about a field: what it must be.
    pub(crate) fn wrong(&self, name: &str, must_be: &str) -> anyhow::Error {
        let value = self.fields.get(name).unwrap_or(&Value::Null);
        anyhow!("{}: {name} is {}; it must be {must_be}", self.path.display(), quoted(value))
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// Another value; the message names file and field.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.map(Some).ok_or_else(|| self.wrong(name, "a whole number from 0"))
    }

    /// As [`Object::count`], of a field that must be there.
    ///
    /// # Errors
    /// As for [`Object::count`], or no such field.
    pub(crate) fn required_count(&self, name: &str) -> Result<usize> {
        self.count(name)?.with_context(|| {
            format!("{}: {name} is missing; give the config.json of a BERT model", self.path.display())
        })
    }

    /// A number.
    ///
    /// # Errors
    /// Another value; the message names file and field.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(name, "a number"))
    }

    /// A text.
    ///
    /// # Errors
    /// Another value; the message names file and field.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, "a text"))
    }

    /// True or false.
    ///
    /// # Errors
    /// Another value; the message names file and field.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(name, "true or false"))
    }
}

/// A value as the file writes it, cut where it is long.
fn quoted(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
