//! Errors as Python's exceptions, in the words of the crates below.

use blockspan_reader::engine::ParseError;
use blockspan_reader::{BuildError, Error};
use pyo3::create_exception;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::PyErr;

create_exception!(
    blockspan,
    InputError,
    PyValueError,
    "The question, the context or an option is not one that can be answered."
);
create_exception!(blockspan, ModelError, PyValueError, "The file is not a model, or a damaged one.");

/// An argument that cannot be.
pub(crate) fn input(message: impl Into<String>) -> PyErr {
    InputError::new_err(message.into())
}

/// Why a question has no reply. `place` names it among others, such as `questions[3]: `, or is empty.
pub(crate) fn answering(place: &str, error: &Error) -> PyErr {
    let message = format!("{place}{error}");
    match error {
        Error::Engine(_) => InputError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}

/// Why there are no sessions.
pub(crate) fn building(error: &BuildError) -> PyErr {
    let message = error.to_string();
    match error {
        BuildError::Engine(_) | BuildError::Zero { .. } => InputError::new_err(message),
        BuildError::Memory { .. } => PyMemoryError::new_err(message),
        _ => PyRuntimeError::new_err(message),
    }
}

/// Why the bytes of the file `name` are no model, and what to do.
pub(crate) fn parsing(name: &str, error: &ParseError) -> PyErr {
    let remedy = match error {
        ParseError::Header(_) | ParseError::Section(..) => {
            "; copy the file again, or make it again with `blockspan-trainer pack`"
        }
        _ => "",
    };
    ModelError::new_err(format!("{name}: {error}{remedy}"))
}
