//! Answers as Arrow's columns, for whoever takes the PyCapsule interface.

use std::sync::Arc;

use arrow_array::builder::{Float32Builder, Int64Builder, LargeStringBuilder};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{self as arrow, Array, ArrayRef, RecordBatchIterator, StructArray};
use arrow_schema::{ArrowError, Field, Schema};
use blockspan_reader::Reply;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// The columns while rows come.
#[derive(Default)]
pub(crate) struct Columns {
    answer: LargeStringBuilder,
    start: Int64Builder,
    end: Int64Builder,
    score: Float32Builder,
    null_diff: Float32Builder,
    error: LargeStringBuilder,
}

impl Columns {
    /// A row with the best answer; without one, its fields are null.
    pub fn answered(&mut self, reply: &Reply) {
        let best = reply.answers.first();
        self.answer.append_option(best.map(|answer| answer.text.as_str()));
        self.start.append_option(best.and_then(|answer| i64::try_from(answer.start_char).ok()));
        self.end.append_option(best.and_then(|answer| i64::try_from(answer.end_char).ok()));
        self.score.append_option(best.map(|answer| answer.score));
        self.null_diff.append_value(reply.null_diff);
        self.error.append_null();
    }

    /// A row that cannot be answered.
    pub fn failed(&mut self, error: &str) {
        self.answer.append_null();
        self.start.append_null();
        self.end.append_null();
        self.score.append_null();
        self.null_diff.append_null();
        self.error.append_value(error);
    }

    /// All rows.
    ///
    /// # Errors
    /// None that there should be: the columns are equally long and of the schema's types.
    pub fn finish(mut self) -> PyResult<RecordBatch> {
        let columns: [(&str, ArrayRef); 6] = [
            ("answer", Arc::new(self.answer.finish())),
            ("start", Arc::new(self.start.finish())),
            ("end", Arc::new(self.end.finish())),
            ("score", Arc::new(self.score.finish())),
            ("null_diff", Arc::new(self.null_diff.finish())),
            ("error", Arc::new(self.error.finish())),
        ];
        let field = |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        arrow::RecordBatch::try_new(schema, columns).map(RecordBatch).map_err(|error| mistake(&error))
    }
}

fn mistake(error: &ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("internal error in the answers' columns: {error}; please report it"))
}

/// Answers in columns, as `Model.answer_batch` returns them. Any library with Arrow's PyCapsule interface takes it, without a
/// copy: `pyarrow.record_batch(answers)`, `polars.DataFrame(answers)`.
///
/// Columns: `answer` (large_string), `start` and `end` (int64, characters), `score` and `null_diff` (float), `error`
/// (large_string). Where `error` is not null, the others are.
#[pyclass(module = "blockspan", frozen)]
pub(crate) struct RecordBatch(arrow::RecordBatch);

#[pymethods]
impl RecordBatch {
    /// How many rows there are.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.0.schema_ref().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        format!(
            "blockspan.RecordBatch(num_rows={}, column_names={:?})",
            self.0.num_rows(),
            self.column_names()
        )
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema =
            FFI_ArrowSchema::try_from(self.0.schema_ref().as_ref()).map_err(|error| mistake(&error))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // The interface lets a producer that does not cast give what it has.
        let _ = requested_schema;
        let array = FFI_ArrowArray::new(&StructArray::from(self.0.clone()).to_data());
        let array = PyCapsule::new_with_value(py, array, c"arrow_array")?;
        PyTuple::new(py, [self.__arrow_c_schema__(py)?, array])
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batches = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
    }
}
