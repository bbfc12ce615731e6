//! The fields of a JSON object that asks a question.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::item::{Asked, Documents, Item, Place, Text};
use super::context_file::ContextFiles;
use crate::output::json::DocumentName;

/// What an object asks, or why there is no object.
pub fn item(
    object: Result<Map<String, Value>, String>,
    place: Place,
    files: &mut ContextFiles,
    searched: bool,
) -> Item {
    let (id, asked) = match object {
        Ok(mut map) => match id(&mut map) {
            Ok(id) => (id, asked(&mut map, files, searched)),
            Err(error) => (None, Err(error)),
        },
        Err(error) => (None, Err(error)),
    };
    Item { id: id_or_line(id, &asked, &place), place, asked }
}

/// A question without an id goes by its line.
pub fn id_or_line(id: Option<Value>, asked: &Result<Asked, String>, place: &Place) -> Value {
    match (id, place.line) {
        (Some(id), _) => id,
        (None, Some(line)) if asked.is_ok() => line.into(),
        (None, _) => Value::Null,
    }
}

/// The question and its passage; or what is wrong. One that is searched needs no passage, and those that it has are passed
/// over.
fn asked(map: &mut Map<String, Value>, files: &mut ContextFiles, searched: bool) -> Result<Asked, String> {
    let question = text(map, "question")?.ok_or("question is missing; give the question's text")?.into();
    if searched {
        return Ok(Asked { question, text: Text::Index });
    }
    let (context, file) = (text(map, "context")?, text(map, "context_file")?);
    let documents = map.remove("documents").filter(|value| !value.is_null());
    let text = match (context, file, documents) {
        (Some(context), None, None) => Text::Passage(context.into()),
        (None, Some(file), None) => Text::Passage(files.read(&file)?),
        (None, None, Some(list)) => Text::Documents(self::documents(list)?),
        (None, None, None) => return Err("no passage; give context, context_file or documents".to_owned()),
        _ => return Err("several passages; give one of context, context_file and documents".to_owned()),
    };
    Ok(Asked { question, text })
}

/// The id, if there is one.
fn id(map: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    match map.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(id @ (Value::String(_) | Value::Number(_))) => Ok(Some(id)),
        Some(other) => Err(format!("id is {}; give a text or a number", kind(&other))),
    }
}

fn documents(list: Value) -> Result<Documents, String> {
    let Value::Array(list) = list else {
        return Err(format!("documents is {}; give a list of objects", kind(&list)));
    };
    if list.is_empty() {
        return Err("documents is empty; give at least one".to_owned());
    }
    let mut documents = Documents::default();
    for (number, entry) in list.into_iter().enumerate() {
        let (name, text) =
            document(entry, number).map_err(|error| format!("documents[{number}]: {error}"))?;
        documents.names.push(name);
        documents.texts.push(text);
    }
    Ok(documents)
}

fn document(entry: Value, number: usize) -> Result<(DocumentName, Arc<str>), String> {
    let mut map = match entry {
        Value::Object(map) => map,
        other => return Err(format!("is {}; give an object with text", kind(&other))),
    };
    let text = text(&mut map, "text")?.ok_or("text is missing; give the document's text")?;
    let document = id(&mut map)?.unwrap_or_else(|| number.into());
    Ok((DocumentName { document, meta: map.remove("meta") }, text.into()))
}

fn text(map: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match map.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{name} is {}; give a text", kind(&other))),
    }
}

/// What a value is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
