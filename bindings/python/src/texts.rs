//! A column of texts, in whichever of Arrow's layouts it is.

use core::str::{Utf8Error, from_utf8};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray, RecordBatch, make_array};
use arrow_schema::{ArrowError, DataType};
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

/// Texts as bytes: whether they are UTF-8 is looked at row by row.
enum Values {
    Bytes(BinaryArray),
    LargeBytes(LargeBinaryArray),
    BytesView(BinaryViewArray),
    /// All of them null.
    Null,
}

impl Texts {
    /// The batch's column `name`, checked: what a foreign library says of offsets and keys is not taken on trust.
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
        let kind = dictionary.map_or(column.data_type(), |dictionary| dictionary.values().data_type());
        if !matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) {
            return Err(input(format!("column '{name}' holds {kind}, not texts; cast it to a string type")));
        }
        // An empty part of a longer array has offsets that lie outside; nothing of it is read.
        if column.is_empty() || dictionary.is_some_and(|dictionary| dictionary.values().is_empty()) {
            // There are no rows, or all of them are null.
            return Ok(Self { values: Values::Null, keys: None });
        }
        let column =
            as_bytes(column).map_err(|error| input(format!("column '{name}' is damaged: {error}")))?;
        let Some(dictionary) = column.as_any_dictionary_opt() else {
            return Ok(Self { values: Values::new(&column), keys: None });
        };
        let rows = dictionary.keys().slice(0, dictionary.len());
        let keys = Some(Keys { rows, values: dictionary.normalized_keys() });
        Ok(Self { values: Values::new(dictionary.values()), keys })
    }

    /// The text of a row; nothing where it is null.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn get(&self, row: usize) -> Result<Option<&str>, Utf8Error> {
        let value = match &self.keys {
            None => self.values.get(row),
            Some(keys) => match keys.values.get(row).filter(|_| !keys.rows.is_null(row)) {
                Some(value) => self.values.get(*value),
                None => None,
            },
        };
        value.map(from_utf8).transpose()
    }
}

/// The same array, or dictionary, with bytes in place of texts; no buffer is copied.
///
/// # Errors
/// Its offsets, keys or lengths are not those of an array.
fn as_bytes(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let bytes = |kind: &DataType| match kind {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        DataType::Utf8View => DataType::BinaryView,
        other => other.clone(),
    };
    let data = column.to_data();
    let (kind, values) = match data.data_type() {
        DataType::Dictionary(key, value) => {
            let values = as_bytes(column.as_any_dictionary().values())?.into_data();
            (DataType::Dictionary(key.clone(), Box::new(bytes(value))), vec![values])
        }
        other => (bytes(other), Vec::new()),
    };
    // `build` checks the array as a whole, but for its values, which were built so.
    data.into_builder().data_type(kind).child_data(values).build().map(make_array)
}

impl Values {
    /// Those of [`as_bytes`].
    fn new(column: &ArrayRef) -> Self {
        match column.data_type() {
            DataType::Binary => Self::Bytes(column.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBytes(column.as_binary().clone()),
            DataType::BinaryView => Self::BytesView(column.as_binary_view().clone()),
            _ => Self::Null,
        }
    }

    fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Bytes(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::LargeBytes(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::BytesView(texts) => texts.is_valid(index).then(|| texts.value(index)),
            Self::Null => None,
        }
    }
}
