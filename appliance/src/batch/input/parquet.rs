//! Parquet: rows with the fields of JSON Lines.

use core::panic::AssertUnwindSafe;
use std::fs::File;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Once};
use std::thread;

use anyhow::{Result, anyhow, bail};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use super::super::item::{Item, Place};
use super::fields;
use super::origin::{Origin, cannot_read};
use crate::passage::is_stdin;

/// The columns that are read.
const COLUMNS: [&str; 5] = ["id", "question", "context", "context_file", "documents"];

/// Rows whose values are taken apart at once: of long passages, few fit into memory.
const ROWS: usize = 32;

/// The rows of a file; a row that asks nothing is an item with an error.
pub fn read(origin: Origin) -> Result<impl Iterator<Item = Result<Item>>> {
    let shown = origin.shown();
    if is_stdin(&origin.path) || !origin.path.is_file() {
        bail!("{shown}: Parquet is read from its end; save it as a file, and name that");
    }
    let file = File::open(&origin.path).map_err(|error| cannot_read(&origin.path, &error))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let opened = guarded(|| {
        let reader = SerializedFileReader::new(file)?;
        let metadata = reader.metadata().file_metadata();
        Ok((Columns::of(metadata.schema()), metadata.num_rows(), reader))
    });
    let wrong = move |place: &str, error: &str| {
        anyhow!("{shown}{place}: not Parquet that can be read: {error}; write the file again")
    };
    let (columns, count, reader) = opened.map_err(|error| wrong("", &error))?;
    let columns = columns.map_err(|error| anyhow!("{}: {error}", origin.shown()))?;
    let rows = guarded(|| RowIter::from_file_into(Box::new(reader)).project(Some(columns.projection()?)));
    let mut rows = rows.map_err(|error| wrong("", &error))?.with_batch_size(ROWS);
    let mut files = origin.context_files();
    let mut number = 0u64;
    Ok(core::iter::from_fn(move || {
        number += 1;
        let row = match guarded(|| rows.next().transpose()) {
            Ok(row) => row?,
            Err(error) => return Some(Err(wrong(&format!(", row {number}"), &error))),
        };
        // As if each row took the same part of the file.
        let part = u128::from(bytes) * u128::from(number) / u128::from(count.max(1).unsigned_abs());
        let position = origin.before + u64::try_from(part).unwrap_or(bytes);
        let place = Place { file: origin.name.clone(), line: Some(number), position };
        Some(Ok(fields::item(columns.object(row), place, &mut files, origin.searched)))
    }))
}

/// What is read of a file.
struct Columns {
    /// What the file calls a row.
    row: String,
    /// Each as the file has it, with its name here.
    found: Vec<(TypePtr, &'static str)>,
}

impl Columns {
    fn of(schema: &Type) -> Result<Self, String> {
        let mut found = Vec::<(TypePtr, &'static str)>::new();
        for field in schema.get_fields() {
            let name = field.name().trim().to_lowercase();
            if let Some(&column) = COLUMNS.iter().find(|&&column| column == name)
                && !found.iter().any(|(_, other)| *other == column)
            {
                found.push((Arc::clone(field), column));
            }
        }
        let has = |column: &str| found.iter().any(|(_, name)| *name == column);
        if has("question") && COLUMNS[2..].iter().any(|column| has(column)) {
            return Ok(Self { row: schema.name().to_owned(), found });
        }
        let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        Err(format!(
            "the columns are {}; name columns question, and context, context_file or documents",
            names.join(", ")
        ))
    }

    fn projection(&self) -> Result<Type, ParquetError> {
        let fields = self.found.iter().map(|(field, _)| Arc::clone(field)).collect();
        Type::group_type_builder(&self.row).with_fields(fields).build()
    }

    /// A row by the names of its columns here.
    fn object(&self, row: Row) -> Result<Map<String, Value>, String> {
        let mut object = Map::new();
        for ((_, field), (_, name)) in row.into_columns().into_iter().zip(&self.found) {
            object.insert((*name).to_owned(), value(&field).map_err(|error| format!("{name} {error}"))?);
        }
        Ok(object)
    }
}

/// The value as JSON has it.
fn value(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => f32::from(*value).into(),
        Field::Float(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.as_str().into(),
        // Some writers do not say that bytes are text.
        Field::Bytes(bytes) => core::str::from_utf8(bytes.data())
            .map_err(|_| "is not UTF-8; write it as a text".to_owned())?
            .into(),
        // A field that a struct has in other rows only is none here.
        Field::Group(row) => {
            let fields = row.get_column_iter().filter(|(_, field)| **field != Field::Null);
            let fields = fields.map(|(name, field)| Ok((name.clone(), value(field)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        Field::ListInternal(list) => list.elements().iter().map(value).collect::<Result<_, _>>()?,
        Field::MapInternal(map) => {
            let key = |key: &Field| match key {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            };
            let entries = map.entries().iter().map(|(name, field)| Ok((key(name), value(field)?)));
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
        // Times, and decimals that no number of JSON holds.
        other => other.to_string().into(),
    })
}

/// What `work` returns; or what is wrong, on one line. The crate panics on some files that are damaged.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    /// A panic in this thread is an error like another; those of other threads are told as before.
    static QUIET: Once = Once::new();
    let here = thread::current().id();
    QUIET.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            if thread::current().id() != here {
                told(panic);
            }
        }));
    });
    // After a panic nothing more is read.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err("it is damaged".to_owned()),
    }
}

/// On one line, without the name of the error's type.
fn told(error: &ParquetError) -> String {
    let whole = error.to_string();
    let text = whole.split_once(": ").map_or(&*whole, |(_, text)| text);
    match text.strip_prefix("Disabled feature at compile time: ") {
        Some(codec) => {
            format!("its pages are compressed with {codec}, which is not built in; take zstd or snappy")
        }
        None => text.replace('\n', " "),
    }
}
