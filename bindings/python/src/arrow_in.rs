//! Record batches of other libraries, without a copy, by Arrow's PyCapsule interface
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::ArrowArrayStreamReader;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{ArrowError, DataType};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyCapsule, PyTuple};

use crate::failure::input;

/// One batch after the other.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// The batches of an object: a record batch, a table, a data frame, a stream.
///
/// # Errors
/// It has none.
pub(crate) fn batches(object: &Bound<'_, PyAny>) -> PyResult<Batches> {
    let py = object.py();
    if let Some(method) = object.getattr_opt(intern!(py, "__arrow_c_array__"))? {
        let capsules = method.call0()?.cast_into::<PyTuple>()?;
        let (schema, array) = (capsules.get_item(0)?, capsules.get_item(1)?);
        // One thread at a time, also without the GIL: importing takes what is in the capsule.
        let array: &Bound<'_, PyCapsule> = array.cast()?;
        let batch = with_critical_section(array, || import(schema.cast()?, array))?;
        return Ok(Box::new(core::iter::once(Ok(batch))));
    }
    if let Some(method) = object.getattr_opt(intern!(py, "__arrow_c_stream__"))? {
        let capsule = method.call0()?;
        let capsule: &Bound<'_, PyCapsule> = capsule.cast()?;
        return Ok(Box::new(with_critical_section(capsule, || stream(capsule))?));
    }
    let kind = object.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "batch must have Arrow's __arrow_c_array__ or __arrow_c_stream__, as those of pyarrow, polars and duckdb have; {kind} \
         has neither"
    )))
}

fn unusable(error: &ArrowError) -> PyErr {
    input(format!("the batch cannot be used: {error}"))
}

#[expect(unsafe_code, reason = "the boundary to Arrow's C interface")]
fn import(schema: &Bound<'_, PyCapsule>, array: &Bound<'_, PyCapsule>) -> PyResult<RecordBatch> {
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(c"arrow_array"))?.cast::<FFI_ArrowArray>();
    // SAFETY: a capsule of this name holds an `ArrowSchema`, which lives as long as the capsule: longer than this function.
    let schema = unsafe { schema.as_ref() };
    // SAFETY: a capsule of this name holds an `ArrowArray`. Nobody else moves it out meanwhile, since the caller holds
    // the capsule's critical section, and what is left behind is marked as released.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr()) };
    if array.is_released() {
        return Err(input("the batch has been used already; export it again"));
    }
    // SAFETY: the interface asks its producers that the array is as the schema says, and stays so until it is released. What
    // is read of it, the columns of texts, is checked before (`texts`).
    let data = unsafe { from_ffi(array, schema) }.map_err(|error| unusable(&error))?;
    if !matches!(data.data_type(), DataType::Struct(_)) {
        let kind = data.data_type();
        return Err(input(format!(
            "the batch is an array of {kind}; give a record batch, a table or an array of structs"
        )));
    }
    let rows = StructArray::from(data);
    if rows.null_count() > 0 {
        return Err(input("the batch has rows that are null as a whole; make their columns null"));
    }
    Ok(rows.into())
}

#[expect(unsafe_code, reason = "the boundary to Arrow's C interface")]
fn stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<ArrowArrayStreamReader> {
    let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
    // SAFETY: a capsule of this name holds an `ArrowArrayStream`. Nobody else moves it out meanwhile, since the caller
    // holds the capsule's critical section, and what is left behind is marked as released. What it gives is as its schema
    // says: the interface asks that.
    unsafe { ArrowArrayStreamReader::from_raw(stream.as_ptr().cast()) }.map_err(|error| unusable(&error))
}
