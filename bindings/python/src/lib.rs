//! The Python module `blockspan._native`: what the wheel `blockspan` asks the reader for.
//!
//! * `Model`: a model of a file and its sessions;
//! * `RecordBatch`: answers as Arrow's columns;
//! * `InputError`, `ModelError`: why there is no answer, or no model.
//!
//! Users import it from the package `blockspan`, whose Python part, types and documentation lie in `python/blockspan`.
#![deny(unsafe_code)]

mod ahead;
mod answer;
mod arguments;
mod arrow_in;
mod arrow_out;
mod batch;
mod failure;
mod files;
mod many;
mod model;
mod pool;
mod texts;
mod waiting;

use pyo3::pymodule;

/// What the package's Python part imports.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::arrow_out::RecordBatch;
    #[pymodule_export]
    use crate::failure::{InputError, ModelError};
    #[pymodule_export]
    use crate::model::Model;

    use pyo3::prelude::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
