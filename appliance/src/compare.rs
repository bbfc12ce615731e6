//! Output beside output that was recorded elsewhere, number by number.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value};

/// How many differing fields are told one by one.
const SHOWN: usize = 10;

/// Compares lines of JSON with those of a file, in order.
pub struct Comparison {
    expected: Box<dyn BufRead>,
    /// For messages.
    name: String,
    line: u64,
    report: Report,
}

/// What was found.
#[derive(Default)]
pub struct Report {
    /// The first differing fields, a line for each.
    pub first: Vec<String>,
    /// Lines that were compared.
    pub compared: u64,
    /// Lines that differ.
    pub different: u64,
    /// Fields that differ in all of them.
    pub fields: u64,
    /// Lines that only one of the two has.
    pub unpaired: u64,
    /// Fields that the file lacks, because an older version wrote it.
    pub new_fields: BTreeSet<String>,
}

impl Comparison {
    /// Lines of a file.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            anyhow!("{name}: cannot read what is expected: {error}; name a file that `blockspan batch` wrote")
        })?;
        Ok(Self::new(BufReader::with_capacity(1 << 16, file), name))
    }

    /// Lines from anywhere.
    pub fn new(expected: impl BufRead + 'static, name: String) -> Self {
        Self { expected: Box::new(expected), name, line: 0, report: Report::default() }
    }

    /// Compares the next line.
    pub fn compare(&mut self, got: &str) -> Result<()> {
        let Some(expected) = self.next()? else {
            self.report.unpaired += 1;
            return Ok(());
        };
        self.report.compared += 1;
        // The usual case, without taking either apart.
        if expected == got {
            return Ok(());
        }
        let expected: Value = serde_json::from_str(&expected).map_err(|error| {
            let (name, line) = (&self.name, self.line);
            anyhow!("{name}, line {line}: not JSON: {error}; give a file that `blockspan batch` wrote")
        })?;
        let got: Value = serde_json::from_str(got)?;
        let id = match expected.get("id").unwrap_or(&Value::Null) {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        let before = self.report.fields;
        let mut path = String::new();
        self.report.values(&id, &mut path, &expected, &got);
        self.report.different += u64::from(self.report.fields > before);
        Ok(())
    }

    /// What was found, when there are no further lines.
    pub fn finish(mut self) -> Result<Report> {
        while self.next()?.is_some() {
            self.report.unpaired += 1;
        }
        Ok(self.report)
    }

    fn next(&mut self) -> Result<Option<String>> {
        loop {
            let mut line = String::new();
            self.line += 1;
            let limited = self.expected.by_ref().take(1 << 30).read_line(&mut line);
            let read = limited.map_err(|error| {
                let (name, line) = (&self.name, self.line);
                anyhow!(
                    "{name}, line {line}: cannot read what is expected: {error}; name a file of JSON Lines"
                )
            })?;
            match read {
                0 => return Ok(None),
                _ if line.trim().is_empty() => {}
                _ => return Ok(Some(line)),
            }
        }
    }
}

impl Report {
    /// Whether all is equal.
    pub fn is_equal(&self) -> bool {
        self.different == 0 && self.unpaired == 0
    }

    fn values(&mut self, id: &str, path: &mut String, expected: &Value, got: &Value) {
        match (expected, got) {
            (Value::Object(expected), Value::Object(got)) => self.objects(id, path, expected, got),
            (Value::Array(expected), Value::Array(got)) => {
                for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                    self.inside(path, &format!("[{index}]"), |report, path| {
                        report.values(id, path, expected, got);
                    });
                }
                if expected.len() != got.len() {
                    let (expected, got) = (expected.len(), got.len());
                    self.differ(id, path, &format!("{expected} of them"), &got.to_string());
                }
            }
            (Value::Number(one), Value::Number(other)) if same_number(one, other) => {}
            _ if expected == got && !expected.is_number() => {}
            _ => self.differ(id, path, &expected.to_string(), &got.to_string()),
        }
    }

    fn objects(
        &mut self,
        id: &str,
        path: &mut String,
        expected: &Map<String, Value>,
        got: &Map<String, Value>,
    ) {
        for (key, expected) in expected {
            let separator = if path.is_empty() { "" } else { "." };
            self.inside(path, &format!("{separator}{key}"), |report, path| match got.get(key) {
                Some(got) => report.values(id, path, expected, got),
                None => report.differ(id, path, &expected.to_string(), "nothing"),
            });
        }
        // An answer in place of an error is no news.
        if expected.contains_key("error") == got.contains_key("error") {
            self.new_fields.extend(got.keys().filter(|key| !expected.contains_key(*key)).cloned());
        }
    }

    fn inside(&mut self, path: &mut String, part: &str, look: impl FnOnce(&mut Self, &mut String)) {
        let len = path.len();
        path.push_str(part);
        look(self, path);
        path.truncate(len);
    }

    fn differ(&mut self, id: &str, path: &str, expected: &str, got: &str) {
        self.fields += 1;
        if self.first.len() < SHOWN {
            self.first.push(format!("{id}: {path}: expected {}, got {}", cut(expected), cut(got)));
        }
    }

    /// What was found, in lines for people; `name` is the file's.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let mut lines = self.first.clone();
        if self.fields > self.first.len() as u64 {
            lines.push(format!("and {} more", self.fields - self.first.len() as u64));
        }
        let (compared, different, fields) = (self.compared, self.different, self.fields);
        if different > 0 {
            lines.push(format!("{different} of {compared} questions differ from {name}, in {fields} fields"));
        } else {
            lines.push(format!("{compared} questions equal {name} in every bit"));
        }
        if self.unpaired > 0 {
            lines.push(format!("{} questions are in one of the two only", self.unpaired));
        }
        if !self.new_fields.is_empty() {
            let names = self.new_fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            lines.push(format!("not compared, since {name} does not have them: {names}"));
        }
        lines
    }
}

/// Equal in every bit, however they are written.
fn same_number(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    if one.is_f64() || other.is_f64() {
        one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
    } else {
        one == other
    }
}

/// The beginning of a long value.
fn cut(value: &str) -> String {
    match value.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", value.get(..at).unwrap_or_default()),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Report};

    fn compare(expected: &'static str, got: &[&str]) -> Report {
        let mut comparison = Comparison::new(expected.as_bytes(), "golden".to_owned());
        for line in got {
            comparison.compare(line).unwrap();
        }
        comparison.finish().unwrap()
    }

    #[test]
    fn differing_fields_are_named_by_id_and_path() {
        let expected =
            "{\"id\":\"a\",\"answers\":[{\"text\":\"x\",\"score\":0.5}]}\n\n{\"id\":7,\"null_diff\":-1.5}\n";
        let got = [
            "{\"id\":\"a\",\"answers\":[{\"text\":\"x\",\"score\":0.25}]}\n",
            "{\"id\":7,\"null_diff\":null}\n",
        ];
        let report = compare(expected, &got);
        assert_eq!(
            report.first,
            ["a: answers[0].score: expected 0.5, got 0.25", "7: null_diff: expected -1.5, got null"]
        );
        assert_eq!((report.compared, report.different, report.fields, report.unpaired), (2, 2, 2, 0));
        assert!(!report.is_equal());
        assert_eq!(report.lines("golden")[2], "2 of 2 questions differ from golden, in 2 fields");
    }

    #[test]
    fn another_spelling_of_the_same_bits_is_equal_and_another_bit_is_not() {
        let expected = "{\"id\": 1, \"x\": 1e-1, \"y\": -0.0}\n";
        assert!(compare(expected, &["{\"id\":1,\"x\":0.1,\"y\":-0.0}\n"]).is_equal());
        assert!(!compare(expected, &["{\"id\":1,\"x\":0.1,\"y\":0.0}\n"]).is_equal());
        assert!(!compare(expected, &["{\"id\":1,\"x\":0.10000000000000002,\"y\":-0.0}\n"]).is_equal());
    }

    #[test]
    fn fields_that_are_lost_differ_and_new_ones_are_only_named() {
        let (old, new) = ("{\"id\":1,\"x\":1}\n", "{\"id\":1,\"x\":1,\"y\":2}\n");
        let report = compare(old, &[new]);
        assert!(report.is_equal());
        assert_eq!(report.lines("golden")[1], "not compared, since golden does not have them: y");
        assert_eq!(compare(new, &[old]).first, ["1: y: expected 2, got nothing"]);
    }

    #[test]
    fn lines_without_a_partner_are_counted() {
        let line = "{\"id\":1}\n";
        assert_eq!(compare(line, &[line, line]).unpaired, 1);
        assert_eq!(compare("{\"id\":1}\n{\"id\":2}\n", &[line]).unpaired, 1);
        assert_eq!(
            compare("{\"a\":[1,2]}\n", &["{\"a\":[1]}\n"]).first,
            ["null: a: expected 2 of them, got 1"]
        );
    }
}
