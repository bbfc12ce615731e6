//! A model's sessions, which are made when somebody first asks, and again in a child made by `fork`.

use core::mem;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use blockspan_reader::{Reader, SharedModel};
use pyo3::prelude::*;

use crate::failure::building;

/// How sessions are made.
#[derive(Clone)]
pub(crate) struct Setup {
    pub model: Arc<SharedModel>,
    /// How many sessions of one thread each; `None` for one on each core.
    pub sessions: Option<usize>,
    /// Tokens of the longest window.
    pub max_seq_len: usize,
}

impl Setup {
    /// Starts the sessions.
    ///
    /// # Errors
    /// There is no memory, or no thread, for so many.
    pub fn build(&self) -> PyResult<Reader> {
        let builder = Reader::builder(SharedModel::clone(&self.model)).max_seq_len(self.max_seq_len);
        let builder = if let Some(sessions) = self.sessions { builder.threads(sessions) } else { builder };
        builder.build().map_err(|error| building(&error))
    }
}

/// The sessions of a model.
pub(crate) struct Pool {
    pub setup: Setup,
    /// Locked only by holders of the GIL, who do not let go of it meanwhile: so nobody holds the lock while Python forks.
    started: Mutex<Option<Started>>,
}

impl Pool {
    pub fn new(setup: Setup) -> Self {
        Self { setup, started: Mutex::new(None) }
    }

    /// The sessions, started if they are not yet in this process.
    ///
    /// # Errors
    /// As [`Setup::build`].
    pub fn reader(&self, _: Python<'_>) -> PyResult<Arc<Reader>> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let here = started.as_ref().filter(|started| started.is_here());
        if let Some(reader) = here.and_then(|started| started.reader.as_ref()) {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(self.setup.build()?);
        *started = Some(Started { process: process::id(), reader: Some(Arc::clone(&reader)) });
        Ok(reader)
    }
}

/// Sessions and the process whose threads they are.
struct Started {
    process: u32,
    /// Taken out when it ends.
    reader: Option<Arc<Reader>>,
}

impl Started {
    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // In a child made by `fork` the threads are not there; waiting for their end would take for ever. Their memory is
        // the parent's, too, until somebody writes to it.
        if !self.is_here() {
            mem::forget(self.reader.take());
        }
    }
}
