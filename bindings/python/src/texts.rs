//! A column of texts, in whichever of Arrow's layouts it is.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow_schema::DataType;
use pyo3::prelude::*;

use crate::failure::input;

/// A column of texts.
pub(crate) struct Texts {
    values: Values,
    /// For a dictionary: which value each row has.
    keys: Option<Keys>,
}

struct Keys {
    /// Nulls.
    rows: ArrayRef,
    values: Vec<usize>,
}

enum Values {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    /// All of them null.
    Null,
}

impl Texts {
    /// The batch's column `name`, checked: what a foreign library says of offsets and UTF-8 is not taken on trust.
    ///
    /// # Errors
    /// There is no such column, it holds no texts, or is damaged.
    pub fn new(batch: &RecordBatch, name: &str) -> PyResult<Self> {
        let Some(column) = batch.column_by_name(name) else {
            let schema = batch.schema_ref();
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(input(format!("the batch has no column '{name}'; it has: {}", names.join(", "))));
        };
        let dictionary = column.as_any_dictionary_opt();
        // An empty part of a longer array has offsets that lie outside; nothing of it is read.
        let is_read =
            !column.is_empty() && dictionary.is_none_or(|dictionary| !dictionary.values().is_empty());
        if is_read {
            let damaged = |error| input(format!("column '{name}' is damaged: {error}"));
            column.to_data().validate_full().map_err(damaged)?;
        }
        let Some(dictionary) = dictionary else {
            return Ok(Self { values: Values::new(column, name)?, keys: None });
        };
        let values = Values::new(dictionary.values(), name)?;
        if !is_read {
            // There are no rows, or all of them are null.
            return Ok(Self { values: Values::Null, keys: None });
        }
        let rows = dictionary.keys().slice(0, dictionary.len());
        Ok(Self { values, keys: Some(Keys { rows, values: dictionary.normalized_keys() }) })
    }

    /// The text of a row; nothing where it is null.
    pub fn get(&self, row: usize) -> Option<&str> {
        let Some(keys) = &self.keys else { return self.values.get(row) };
        let value = keys.values.get(row).filter(|_| !keys.rows.is_null(row))?;
        self.values.get(*value)
    }
}

impl Values {
    fn new(column: &ArrayRef, name: &str) -> PyResult<Self> {
        match column.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(column.as_string().clone())),
            DataType::LargeUtf8 => Ok(Self::LargeUtf8(column.as_string().clone())),
            DataType::Utf8View => Ok(Self::Utf8View(column.as_string_view().clone())),
            DataType::Null => Ok(Self::Null),
            other => {
                Err(input(format!("column '{name}' holds {other}, not texts; cast it to a string type")))
            }
        }
    }

    fn get(&self, index: usize) -> Option<&str> {
        match self {
            Self::Utf8(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::LargeUtf8(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::Utf8View(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::Null => None,
        }
    }
}
