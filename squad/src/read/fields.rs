//! The fields of a question, as different tools write them.

use serde_json::{Map, Number, Value};

use crate::Answer;

/// A text, or a number in its place; nothing for `null` and where there is none.
pub fn text(map: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match map.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(plain(&number))),
        Some(other) => Err(format!("{name} is {}; expected a text", kind(&other))),
    }
}

/// A text that must be there.
pub fn required(map: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    match map.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{name} is {}; expected a text", kind(&other))),
        None => Err(format!("no field {name}; add it")),
    }
}

/// A truth value; `null` and nothing at all are false.
pub fn truth(map: &mut Map<String, Value>, name: &str) -> Result<bool, String> {
    match map.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(truth),
        Some(Value::Number(number)) if number.as_f64() == Some(0.0) => Ok(false),
        Some(Value::Number(number)) if number.as_f64() == Some(1.0) => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") || text.is_empty() => Ok(false),
        Some(other) => Err(format!("{name} is {}; expected true or false", kind(&other))),
    }
}

/// The accepted answers; `null` and empty texts are none. Nothing where the field is missing, so that nothing is known.
///
/// Each is an object with `text` and `answer_start`, or a text alone; Hugging Face `datasets` writes one object of two
/// lists in place of a list of objects.
pub fn answers(map: &mut Map<String, Value>) -> Result<Option<Vec<Answer>>, String> {
    let Some(value) = map.remove("answers").or_else(|| map.remove("answer")) else { return Ok(None) };
    let mut answers = match value {
        Value::Array(list) => list.into_iter().map(answer).collect::<Result<Vec<_>, _>>()?,
        Value::Object(columns) if columns.get("text").is_some_and(Value::is_array) => by_columns(columns)?,
        other => vec![answer(other)?],
    };
    answers.retain(|answer| !answer.text.is_empty());
    Ok(Some(answers))
}

fn answer(value: Value) -> Result<Answer, String> {
    match value {
        Value::Null => Ok(Answer::default()),
        Value::String(text) => Ok(Answer { text, answer_start: None }),
        Value::Object(mut map) if map.contains_key("text") => {
            let answer_start = map.get("answer_start").and_then(start);
            let text = text(&mut map, "text").map_err(|reason| format!("an answer's {reason}"))?;
            Ok(Answer { text: text.unwrap_or_default(), answer_start })
        }
        Value::Object(map) if map.is_empty() => Ok(Answer::default()),
        Value::Object(_) => Err("an answer has no field text; add it".into()),
        other => Err(format!("an answer is {}; expected {{\"text\": …, \"answer_start\": …}}", kind(&other))),
    }
}

/// `{"text": […], "answer_start": […]}`.
fn by_columns(mut columns: Map<String, Value>) -> Result<Vec<Answer>, String> {
    let Some(Value::Array(texts)) = columns.remove("text") else { return Ok(Vec::new()) };
    let starts = match columns.remove("answer_start") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(starts)) => starts,
        Some(one) => vec![one],
    };
    if !starts.is_empty() && starts.len() != texts.len() {
        return Err(format!("answers have {} texts but {} answer_starts", texts.len(), starts.len()));
    }
    let mut starts = starts.iter().map(start);
    let answers = texts.into_iter().map(|text| {
        let answer_start = starts.next().flatten();
        match text {
            Value::Null => Ok(Answer::default()),
            Value::String(text) => Ok(Answer { text, answer_start }),
            Value::Number(number) => Ok(Answer { text: plain(&number), answer_start }),
            other => Err(format!("an answer's text is {}; expected a text", kind(&other))),
        }
    });
    answers.collect()
}

/// A whole number, be it written 44, 44.0 or "44".
fn start(value: &Value) -> Option<i64> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => {
            text.trim().parse().ok().or_else(|| text.trim().parse::<f64>().ok().and_then(whole))
        }
        _ => None,
    }
}

/// A number as text; 7.0 is "7".
fn plain(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

/// What a value is, in words.
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
